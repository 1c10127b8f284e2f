package measure

import (
	"fmt"
	"testing"
)

func TestHistogramCountsUpToItsBounds(t *testing.T) {
	h := NewHistogram(1, 2, 5)
	for _, v := range []float64{0, 1, 1.5, 2, 7} {
		h.Observe(v)
	}
	var f Family
	f.AddHistogram(h, "a")
	if got, want := fmt.Sprint(f.Samples), "[{[a] 11.5 map[1:2 2:4 5:4] 5}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTableIsBounded(t *testing.T) {
	table := NewTable[string](2, func() *int { return new(int) })
	for _, key := range []string{"a", "b", "c", "d", "a"} {
		*table.Of(key)++
	}
	seen := map[string]int{}
	table.All(func(key string, n *int) { seen[key] = *n })
	if got, want := fmt.Sprint(seen), "map[:2 a:2 b:1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := NewHistogram(0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(0.0003)
	}
}
