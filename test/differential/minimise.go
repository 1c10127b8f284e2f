package main

import (
	"context"
	"encoding/json"
	"slices"
)

// shows asks both servers and says whether a history still ends in a difference of a class, with upstream's answers.
func shows(ctx context.Context, upstream, ours *server, h history, class string) (history, bool) {
	out := history{title: h.title}
	s := newSymbols(freshNamespace())
	for _, e := range h.exchanges {
		a, err := upstream.ask(ctx, s, e.request)
		if err != nil {
			return h, false
		}
		out.exchanges = append(out.exchanges, exchange{e.request, a})
	}
	found, err := replay(ctx, ours, out)
	return out, err == nil && slices.ContainsFunc(found, func(f finding) bool {
		return f.class() == class && len(f.history.exchanges) == len(out.exchanges)
	})
}

// minimise drops requests, and then fields of bodies, while a history still ends in the same difference.
func minimise(ctx context.Context, upstream, ours *server, f finding) history {
	best, class := f.history, f.class()
	attempt := func(h history) bool {
		got, ok := shows(ctx, upstream, ours, h, class)
		if ok {
			best = got
		}
		return ok
	}
	for i := len(best.exchanges) - 2; i >= 0; i-- {
		attempt(history{best.title, slices.Delete(slices.Clone(best.exchanges), i, i+1)})
	}
	for i := range best.exchanges {
		for n := 0; ; {
			smaller, more := without(best.exchanges[i].request.body, n)
			if !more {
				break
			}
			h := history{best.title, slices.Clone(best.exchanges)}
			h.exchanges[i].request.body = smaller
			if !attempt(h) {
				n++
			}
		}
	}
	return best
}

// without is a JSON body that lacks its n-th field, counted from the outside; false: there are not so many.
func without(body string, n int) (string, bool) {
	var value any
	if json.Unmarshal([]byte(body), &value) != nil {
		return "", false
	}
	left := n
	queue := []any{value}
	for len(queue) > 0 {
		switch v := queue[0].(type) {
		case map[string]any:
			for _, k := range sortedKeys(v) {
				if left == 0 {
					delete(v, k)
					return pretty(value), true
				}
				left--
				queue = append(queue, v[k])
			}
		case []any:
			queue = append(queue, v...)
		}
		queue = queue[1:]
	}
	return "", false
}
