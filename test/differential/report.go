package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"
)

// report gathers what was found.
type report struct {
	mu struct {
		sync.Mutex
		requests, histories int
		classes             map[string]*class
		reasons             map[*known]int
	}
}

// class is a group of differences that look alike.
type class struct {
	name  string
	count int
	first finding // the one with the shortest history
}

func newReport() *report {
	r := &report{}
	r.mu.classes, r.mu.reasons = map[string]*class{}, map[*known]int{}
	return r
}

func (r *report) add(h history, found []finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.requests += len(h.exchanges)
	r.mu.histories++
	for _, f := range found {
		if f.known != nil {
			r.mu.reasons[f.known]++
			continue
		}
		name := f.class()
		c := r.mu.classes[name]
		if c == nil {
			c = &class{name: name, first: f}
			r.mu.classes[name] = c
		}
		c.count++
		if len(f.history.exchanges) < len(c.first.history.exchanges) {
			c.first = f
		}
	}
}

// unknown lists the classes of differences that nobody gave a reason for, the most frequent first.
func (r *report) unknown() []*class {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*class
	for _, c := range r.mu.classes {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *class) int { return cmp.Or(b.count-a.count, cmp.Compare(a.name, b.name)) })
	return all
}

// print writes the first classes, each with an example, and the totals.
func (r *report) print(w io.Writer, most int) {
	all := r.unknown()
	for i, c := range all {
		if i == most {
			fmt.Fprintf(w, "... and %d more classes\n", len(all)-most)
			break
		}
		fmt.Fprintf(w, "%d times; %s:\n%s\n\n", c.count, c.first.history.title, c.first.difference)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, n := range r.mu.reasons {
		fmt.Fprintf(w, "%5d times, known: %s\n", n, k.reason)
	}
	fmt.Fprintf(w, "%d requests in %d histories; %d classes of unknown differences\n", r.mu.requests, r.mu.histories, len(all))
}
