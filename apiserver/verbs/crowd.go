package verbs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// To write to a client costs about the same for one change as for fifty. Where many watch the same table and all of it, each
// lets changes gather for a while after it has written: the more they are, the longer, so that they take a core at most
// whatever the number of changes. Who watches alone, or sees few of a table's changes, as a node sees those of its pods, waits
// for none.
const (
	writeCost = 100 * time.Microsecond // of a write, ours and the client's together
	leastWait = time.Millisecond       // less is not worth a timer
	mostWait  = 100 * time.Millisecond
)

// crowd is those who watch one table.
type crowd struct{ size atomic.Int64 }

func (c *crowd) enter() { c.size.Add(1) }
func (c *crowd) leave() { c.size.Add(-1) }

// pause is called by one of the crowd that has written. It returns when it may look for more; false if ctx ended first.
func (c *crowd) pause(ctx context.Context, clock clock.Clock) bool {
	wait := min(mostWait, time.Duration(c.size.Load())*writeCost)
	if wait < leastWait {
		return true
	}
	timer := clock.NewTimer(wait)
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
