package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is a series of requests by concurrent callers, bounded by count, by time, or by both.
type load struct {
	callers int
	count   int                                            // zero: as many as there is time for
	limit   time.Duration                                  // zero: until count is reached
	do      func(ctx context.Context, caller, n int) error // the n-th call, by one of the callers
}

// outcome is what a load took.
type outcome struct {
	done  int
	took  time.Duration
	calls []time.Duration // each call, sorted
}

func (o outcome) rate() float64 { return float64(o.done) / o.took.Seconds() }

// quantile is in milliseconds.
func (o outcome) quantile(q float64) float64 { return quantile(o.calls, q) }

// quantile of sorted durations, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1)+0.5)].Microseconds()) / 1000
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// run makes the calls and stops at the first error.
func (l load) run(ctx context.Context) (outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Int64
	var all sync.WaitGroup
	took, failed := make([][]time.Duration, l.callers), make([]error, l.callers)
	begin := time.Now()
	for caller := range l.callers {
		all.Go(func() {
			for ctx.Err() == nil && (l.limit == 0 || time.Since(begin) < l.limit) {
				n := int(next.Add(1)) - 1
				if l.count > 0 && n >= l.count {
					return
				}
				at := time.Now()
				if err := l.do(ctx, caller, n); err != nil {
					failed[caller] = fmt.Errorf("call %d: %w", n, err)
					cancel()
					return
				}
				took[caller] = append(took[caller], time.Since(at))
			}
		})
	}
	all.Wait()
	o := outcome{took: time.Since(begin), calls: slices.Concat(took...)}
	o.done = len(o.calls)
	slices.Sort(o.calls)
	// The first error stopped the others: theirs say no more.
	for _, err := range failed {
		if err != nil && !errors.Is(err, context.Canceled) {
			return o, err
		}
	}
	return o, ctx.Err()
}
