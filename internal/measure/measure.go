// Package measure counts: cheap counters and histograms for hot paths, and the families in which they are shown.
//
// It decides nothing and owns no registry. Who counts keeps its counters as plain fields, and lists them as families
// when it is asked; package observe/metrics asks.
package measure

import (
	"math"
	"sync"
	"sync/atomic"
)

// Type is what the samples of a family are.
type Type uint8

// The types of a Family.
const (
	Counter Type = iota
	Gauge
	Distribution
)

// Family is all samples of one name.
type Family struct {
	Name, Help string
	Type       Type
	Labels     []string // names, in the order of each sample's values
	Samples    []Sample
}

// Sample is one value, or the state of one histogram.
type Sample struct {
	Values  []string // of the labels
	Value   float64
	Buckets map[float64]uint64 // of a Distribution: how many observations are at most so large
	Count   uint64
}

// Add appends a sample with a value.
func (f *Family) Add(value float64, labels ...string) {
	f.Samples = append(f.Samples, Sample{Values: labels, Value: value})
}

// AddHistogram appends the state of a histogram.
func (f *Family) AddHistogram(h *Histogram, labels ...string) {
	f.Samples = append(f.Samples, h.sample(labels))
}

// Histogram counts observations by upper bounds. It is used by many goroutines.
type Histogram struct {
	bounds []float64
	counts []atomic.Uint64 // of each bucket alone; the last has no bound
	sum    atomic.Uint64   // a float's bits
}

// NewHistogram makes a histogram with these upper bounds, which grow.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	if v == 0 {
		return
	}
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (h *Histogram) sample(labels []string) Sample {
	s := Sample{Values: labels, Value: math.Float64frombits(h.sum.Load()), Buckets: make(map[float64]uint64, len(h.bounds))}
	for i, bound := range h.bounds {
		s.Count += h.counts[i].Load()
		s.Buckets[bound] = s.Count
	}
	s.Count += h.counts[len(h.bounds)].Load()
	return s
}

// Table keeps one value for each key, made when the key is first seen. The zero Table is not ready: see NewTable.
type Table[K comparable, V any] struct {
	create func() *V
	most   int
	mu     struct {
		sync.RWMutex
		values map[K]*V
	}
}

// NewTable makes a table whose values create makes. Beyond most keys, all further ones share the value of the zero key,
// so that clients cannot fill the memory with names.
func NewTable[K comparable, V any](most int, create func() *V) *Table[K, V] {
	t := &Table[K, V]{create: create, most: most}
	t.mu.values = map[K]*V{}
	return t
}

// Of returns the value of a key.
func (t *Table[K, V]) Of(key K) *V {
	t.mu.RLock()
	v := t.mu.values[key]
	t.mu.RUnlock()
	if v != nil {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.mu.values[key]; v != nil {
		return v
	}
	if len(t.mu.values) >= t.most {
		var other K
		key = other
		if v := t.mu.values[key]; v != nil {
			return v
		}
	}
	v = t.create()
	t.mu.values[key] = v
	return v
}

// All calls see for each key.
func (t *Table[K, V]) All(see func(K, *V)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for key, v := range t.mu.values {
		see(key, v)
	}
}
