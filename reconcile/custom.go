package reconcile

import (
	"context"
	"sync"
	"time"

	"proa/kinds/resource"
)

// customLinger is how long the table of a kind that is gone is still followed: its last deletions concern others.
const customLinger = time.Minute

// customFollower follows the table of one kind that users defined.
type customFollower struct {
	stop   context.CancelFunc
	ending Timer // set once the kind is gone
}

// followCustom follows the tables of kinds that users define, from when they are there until some time after they are gone.
func (h *Host) followCustom(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	followers := map[string]*customFollower{}
	for ctx.Err() == nil {
		rows, replaced := h.config.Kinds.Custom()
		for _, row := range rows {
			table := row.Table()
			if f := followers[table]; f != nil && (f.ending == nil || f.ending.Stop()) {
				f.ending = nil
				continue
			}
			readers := h.readers(table, row)
			if len(readers) == 0 {
				continue
			}
			inner, stop := context.WithCancel(ctx)
			followers[table] = &customFollower{stop: stop}
			running.Go(func() { h.follow(inner, table, readers) })
		}
		h.endCustom(followers, rows)
		select {
		case <-replaced:
		case <-ctx.Done():
		}
	}
	for _, f := range followers {
		if f.ending != nil {
			f.ending.Stop()
		}
		f.stop()
	}
}

// endCustom has the followers of kinds that are gone end in a while.
func (h *Host) endCustom(followers map[string]*customFollower, rows []*resource.Resource) {
	there := map[string]bool{}
	for _, row := range rows {
		there[row.Table()] = true
	}
	for table, f := range followers {
		if !there[table] && f.ending == nil {
			f.ending = h.config.Clock.AfterFunc(customLinger, f.stop)
		}
	}
}
