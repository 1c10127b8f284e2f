package daemon

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// gcPercent trades a little CPU for memory: most of what lives here lives long, so the default would keep as much garbage
	// as there are objects.
	gcPercent = 50
	// leastGarbage is what may gather between two collections in any case, in bytes: a small cluster under load would collect
	// at every hundredth request.
	leastGarbage = 32 << 20
	// mostPercent bounds what leastGarbage makes of the percentage.
	mostPercent = 800
)

// tuneCollector sets the collector's percentage anew after each collection, until stop.
func tuneCollector() (stop func()) {
	var stopped atomic.Bool
	var watch func(*struct{ _ [16]byte })
	watch = func(*struct{ _ [16]byte }) {
		if stopped.Load() {
			return
		}
		debug.SetGCPercent(percentFor(liveBytes()))
		runtime.SetFinalizer(&struct{ _ [16]byte }{}, watch)
	}
	debug.SetGCPercent(percentFor(liveBytes()))
	runtime.SetFinalizer(&struct{ _ [16]byte }{}, watch)
	return func() { stopped.Store(true) }
}

// percentFor lets leastGarbage gather on a small heap.
func percentFor(live uint64) int {
	if live == 0 {
		return mostPercent
	}
	return int(min(mostPercent, max(gcPercent, leastGarbage*100/live)))
}

// liveBytes is what the last collection found alive.
func liveBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
