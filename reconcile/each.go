package reconcile

import "sync"

// Each calls f for 0..n-1, at most parallel calls at a time, waits for all, and returns their errors in order, nil where
// there was none. Requests that wait at the same time share a write to the disk, so a batch costs little more than one.
func Each(parallel, n int, f func(i int) error) []error {
	errs := make([]error, n)
	if parallel < 2 || n < 2 {
		for i := range n {
			errs[i] = f(i)
		}
		return errs
	}
	var done sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(i)
		})
	}
	done.Wait()
	return errs
}
