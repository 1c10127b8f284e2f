package aggregate

import (
	"sync/atomic"

	"proa/internal/measure"
)

// fall is a way in which a version became unavailable.
type fall struct{ name, reason string }

// count notes which versions have become unavailable since the routes before.
func (a *Aggregator) count(before, now *routes) {
	for version, r := range now.byVersion {
		if r.available {
			continue
		}
		was := (*route)(nil)
		if before != nil {
			was = before.byVersion[version]
		}
		if was == nil || was.available || was.reason != r.reason {
			a.falls.Of(fall{r.name, r.reason}).Add(1)
		}
	}
}

func newFalls() *measure.Table[fall, atomic.Int64] {
	return measure.NewTable[fall](1000, func() *atomic.Int64 { return new(atomic.Int64) })
}

// Measures lists which aggregated versions are not available, and how often which were not.
func (a *Aggregator) Measures() []measure.Family {
	now := measure.Family{Name: "aggregator_unavailable_apiservice", Help: "Whether an APIService is unavailable", Type: measure.Gauge, Labels: []string{"name"}}
	for _, r := range a.routes.Load().byVersion {
		value := 0.0
		if !r.available {
			value = 1
		}
		now.Add(value, r.name)
	}
	total := measure.Family{Name: "aggregator_unavailable_apiservice_total", Help: "How often an APIService became unavailable", Type: measure.Counter, Labels: []string{"name", "reason"}}
	a.falls.All(func(f fall, n *atomic.Int64) { total.Add(float64(n.Load()), f.name, f.reason) })
	return []measure.Family{now, total}
}
