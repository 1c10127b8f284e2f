package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"

	"proa/internal/measure"
)

func TestServe(t *testing.T) {
	h := measure.NewHistogram(1, 2)
	h.Observe(1.5)
	counted := measure.Family{Name: "a_total", Help: "As.", Type: measure.Counter, Labels: []string{"x"}}
	counted.Add(3, "y")
	spread := measure.Family{Name: "b_seconds", Help: "Bs.", Type: measure.Distribution}
	spread.AddHistogram(h)
	m := New(func() []measure.Family { return []measure.Family{counted, spread} })
	w := httptest.NewRecorder()
	if !m.Serve(w, httptest.NewRequest("GET", "/metrics", nil)) {
		t.Fatal("not served")
	}
	for _, want := range []string{"# HELP a_total As.\n# TYPE a_total counter\na_total{x=\"y\"} 3\n",
		"b_seconds_bucket{le=\"1\"} 0\nb_seconds_bucket{le=\"2\"} 1\nb_seconds_bucket{le=\"+Inf\"} 1\nb_seconds_sum 1.5\nb_seconds_count 1\n",
		"\ngo_goroutines ", "\nprocess_resident_memory_bytes "} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("missing %q in\n%s", want, w.Body)
		}
	}
	if m.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics/x", nil)) {
		t.Error("another path is served")
	}
}
