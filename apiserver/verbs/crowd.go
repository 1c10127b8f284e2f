package verbs

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"proa/apiserver/encode"
)

// To write to a client costs about the same for one change as for fifty. Where many watch the same table and all of it, each
// lets changes gather for a while after it has written: the more they are, the longer, so that they take a core at most
// whatever the number of changes. Who watches alone, or sees few of a table's changes, as a node sees those of its pods, waits
// for none.
const (
	writeCost = 100 * time.Microsecond // of a write, ours and the client's together
	leastWait = time.Millisecond       // less is not worth a timer
	mostWait  = 100 * time.Millisecond // and by chance half as much again
)

// manyWatch is how many make it worth to keep what one of them sends for the others.
const manyWatch = 16

// crowd is those who watch one table.
type crowd struct {
	size   atomic.Int64
	frames atomic.Pointer[encode.Frames] // while they are many
}

func (c *crowd) enter() { c.size.Add(1) }

func (c *crowd) leave() {
	if c.size.Add(-1) < manyWatch {
		c.frames.Store(nil)
	}
}

// shared is what many keep for each other; nil when they are few.
func (c *crowd) shared() *encode.Frames {
	if c.size.Load() < manyWatch {
		return nil
	}
	if c.frames.Load() == nil {
		c.frames.CompareAndSwap(nil, new(encode.Frames))
	}
	return c.frames.Load()
}

// pause is called by one of the crowd that has written. It returns when it may look for more; false if ctx ended first. Chance has
// a part in when that is: otherwise all would write at once, and wait at once.
func (c *crowd) pause(ctx context.Context, clock clock.Clock) bool {
	wait := min(mostWait, time.Duration(c.size.Load())*writeCost)
	if wait < leastWait {
		return true
	}
	timer := clock.NewTimer(wait/2 + rand.N(wait))
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// crowds are the crowds of all tables that were ever watched.
type crowds struct{ byTable sync.Map }

func (c *crowds) of(table string) *crowd {
	if found, ok := c.byTable.Load(table); ok {
		return found.(*crowd)
	}
	found, _ := c.byTable.LoadOrStore(table, &crowd{})
	return found.(*crowd)
}
