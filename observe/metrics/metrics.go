// Package metrics shows what the parts of the process have counted, in Prometheus' text format, under upstream's names.
//
// It decides nothing and counts nothing: parts count for themselves (internal/measure) and list what they have when
// somebody asks, so that counting costs next to nothing between two looks. The API server serves Serve under /metrics.
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"proa/internal/measure"
)

// Path is where metrics are served.
const Path = "/metrics"

// Source lists what a part has counted. It is called for each look, from any goroutine.
type Source func() []measure.Family

// Metrics shows what its sources list.
type Metrics struct {
	registry *prometheus.Registry
	sources  []Source
}

// New shows these sources, and what the Go runtime and the kernel say of the process.
func New(sources ...Source) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), sources: sources}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m)
	return m
}

// Describe implements prometheus.Collector: what there is is not known before somebody asks.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, source := range m.sources {
		for _, f := range source() {
			desc := prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
			for _, s := range f.Samples {
				metric, err := metricOf(desc, &f, &s)
				if err != nil {
					metric = prometheus.NewInvalidMetric(desc, fmt.Errorf("show %s: %w", f.Name, err))
				}
				to <- metric
			}
		}
	}
}

func metricOf(desc *prometheus.Desc, f *measure.Family, s *measure.Sample) (prometheus.Metric, error) {
	switch f.Type {
	case measure.Distribution:
		return prometheus.NewConstHistogram(desc, s.Count, s.Value, s.Buckets, s.Values...)
	case measure.Counter:
		return prometheus.NewConstMetric(desc, prometheus.CounterValue, s.Value, s.Values...)
	default:
		return prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.Value, s.Values...)
	}
}

// Serve answers GET /metrics, and returns false for any other path.
func (m *Metrics) Serve(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != Path {
		return false
	}
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return true
	}
	families, err := m.registry.Gather()
	if err != nil {
		slog.Error("some metrics cannot be shown", "error", err)
	}
	format := expfmt.Negotiate(r.Header)
	w.Header().Set("Content-Type", string(format))
	encoder := expfmt.NewEncoder(w, format)
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			slog.Debug("metrics were not sent", "error", err)
			return true
		}
	}
	return true
}
