package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// report gathers what was found. Two runs of a seed print the same.
type report struct {
	listed []string // open.txt
	mu     struct {
		sync.Mutex
		requests int
		asked    map[string][sha256.Size]byte // by title of the history
		classes  map[string]*class
		reasons  map[*known]int
		open     map[string]int // of listed classes
		wavering int
	}
}

// class is a group of differences that look alike.
type class struct {
	name      string
	count     int
	first     finding // the one with the shortest history
	confirmed bool    // it was found again each time that both were asked again
}

func newReport(listed []string) *report {
	r := &report{listed: listed}
	r.mu.asked, r.mu.classes, r.mu.reasons, r.mu.open = map[string][sha256.Size]byte{}, map[string]*class{}, map[*known]int{}, map[string]int{}
	return r
}

func (r *report) add(h history, found []finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.requests += len(h.exchanges)
	var asked strings.Builder
	for _, e := range h.exchanges {
		fmt.Fprintln(&asked, e.request)
	}
	r.mu.asked[h.title] = sha256.Sum256([]byte(asked.String()))
	for _, f := range found {
		if f.known != nil {
			r.mu.reasons[f.known]++
			continue
		}
		name := f.class()
		if slices.Contains(r.listed, name) {
			r.mu.open[name]++
			continue
		}
		c := r.mu.classes[name]
		if c == nil {
			c = &class{name: name, first: f}
			r.mu.classes[name] = c
		}
		c.count++
		if f.before(c.first) {
			c.first = f
		}
	}
}

// before says which of two findings stands for their class: the one that takes the fewest requests.
func (f finding) before(g finding) bool {
	return cmp.Or(len(f.history.exchanges)-len(g.history.exchanges), len(f.history.title)-len(g.history.title), cmp.Compare(f.history.title, g.history.title)) < 0
}

// drop takes out a class that was not found again.
func (r *report) drop(c *class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.classes, c.name)
	r.mu.wavering += c.count
}

// fileName names the file that a class's history is kept in.
func (c *class) fileName() string {
	sum := sha256.Sum256([]byte(c.name))
	return fmt.Sprintf("%s-%x.txt", strings.ReplaceAll(kindOf(c.first.request.path), "/", "-"), sum[:3])
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
	found := r.unknown()
	for i, c := range found {
		if i == most {
			fmt.Fprintf(w, "... and %d more classes\n", len(found)-most)
			break
		}
		fmt.Fprintf(w, "%d times; %s, request %d:\n%s\n\n", c.count, c.first.history.title, len(c.first.history.exchanges), c.first.difference)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range knownDifferences {
		if k := &knownDifferences[i]; r.mu.reasons[k] > 0 {
			fmt.Fprintf(w, "%5d times, known: %s\n", r.mu.reasons[k], k.reason)
		}
	}
	fmt.Fprintf(w, "%d classes of open.txt were found, %d were not\n", len(r.mu.open), len(r.listed)-len(r.mu.open))
	if r.mu.wavering > 0 {
		fmt.Fprintf(w, "%d differences were not found again when both were asked the same once more\n", r.mu.wavering)
	}
	all := sha256.New()
	for _, title := range slices.Sorted(maps.Keys(r.mu.asked)) {
		sum := r.mu.asked[title]
		all.Write(sum[:])
	}
	fmt.Fprintf(w, "%d requests in %d histories, of sum %x; %d classes of unknown differences\n", r.mu.requests, len(r.mu.asked), all.Sum(nil)[:6], len(found))
}
