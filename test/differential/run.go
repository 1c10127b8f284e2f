package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// perHistory is how many requests a history has after its setup.
const perHistory = 30

// finding is a difference and the history that led to it: the last request is the one that was answered differently.
type finding struct {
	difference
	history history
	known   *known
}

// namespaces are counted, so that no two histories meet.
var namespaces atomic.Int64

func freshNamespace() string { return fmt.Sprintf("q%07d", namespaces.Add(1)) }

// record makes a history by asking upstream.
func record(ctx context.Context, upstream *server, g *generator, title string) (history, error) {
	h := history{title: title}
	s := newSymbols(freshNamespace())
	for _, r := range append(setup(), g.looks()...) {
		a, err := upstream.ask(ctx, s, r)
		if err != nil {
			return h, err
		}
		g.learn(r, a)
		h.exchanges = append(h.exchanges, exchange{r, a})
	}
	for range perHistory {
		r := g.request()
		a, err := upstream.ask(ctx, s, r)
		if err != nil {
			return h, err
		}
		g.learn(r, a)
		h.exchanges = append(h.exchanges, exchange{r, a})
	}
	return h, nil
}

// replay asks a server what a history asked, and lists what it answers differently. What follows from an earlier difference
// is left out: requests about the same object, and lists that hold it.
func replay(ctx context.Context, v *server, h history) ([]finding, error) {
	s := newSymbols(freshNamespace())
	var found []finding
	tainted, lists := map[string]bool{}, map[string]int{}
	for i, e := range h.exchanges {
		got, err := v.ask(ctx, s, e.request)
		s.follow(e.answer.body, lists)
		if err != nil {
			return found, fmt.Errorf("history %q, request %d: %w", h.title, i+1, err)
		}
		collection, name := about(e)
		differences := compare(e.request, e.answer, got)
		if len(differences) == 0 {
			continue
		}
		before := tainted[collection+"/"+name] || name == "" && tainted[collection]
		tainted[collection], tainted[collection+"/"+name] = true, true
		if before {
			continue
		}
		for _, d := range differences {
			found = append(found, finding{d, history{h.title, h.exchanges[:i+1]}, classify(d)})
		}
	}
	return found, nil
}

// about is the collection and the name that an exchange is about; no name: the collection.
func about(e exchange) (collection, name string) {
	path, _, _ := strings.Cut(e.request.path, "?")
	parts := strings.Split(path, "/")
	n := 4 // /api/v1/pods
	if len(parts) > 1 && parts[1] == "apis" {
		n = 5
	}
	if len(parts) > n && parts[n-1] == "namespaces" {
		n += 2
	}
	if len(parts) < n {
		return path, ""
	}
	collection = parts[n-1]
	named := len(parts) > n
	if creates := e.request.method == "POST" && len(parts) <= n+1; named && !creates { // upstream creates what the body names
		return collection, parts[n]
	}
	if e.request.method == "POST" {
		for _, text := range []string{e.answer.body, e.request.body} {
			if body, ok := tree(text).(map[string]any); ok && body["kind"] != "Status" {
				if meta, ok := body["metadata"].(map[string]any); ok && meta["name"] != nil {
					return collection, fmt.Sprint(meta["name"])
				}
			}
		}
		return collection, "?"
	}
	return collection, ""
}

// each calls f with the numbers below n, some at the same time, until one fails.
func each(ctx context.Context, n int, f func(context.Context, int) error) error {
	return eachBeside(ctx, 8, n, f) // watches wait; more than there are cores
}

// eachBeside is each with a word about how many at the same time.
func eachBeside(ctx context.Context, beside, n int, f func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range beside {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
