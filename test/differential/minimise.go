package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
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

// minimise cuts a history down while it still ends in the same difference: requests first, many at a time, then what their
// paths, headers and bodies say.
func minimise(ctx context.Context, upstream, ours *server, f finding) history {
	class := f.class()
	m := minimiser{best: f.history, shows: func(h history) (history, bool) { return shows(ctx, upstream, ours, h, class) }}
	m.run()
	return m.best
}

// minimiser cuts best, which shows something.
type minimiser struct {
	best  history
	shows func(history) (history, bool) // whether it still does, with upstream's answers
}

func (m *minimiser) run() {
	m.dropRequests()
	for i := range m.best.exchanges {
		m.simplify(i)
		m.cutBody(i)
	}
	m.dropRequests() // a smaller body may need less before it
}

// try takes a history if it still shows the difference.
func (m *minimiser) try(h history) bool {
	got, ok := m.shows(h)
	if ok {
		m.best = got
	}
	return ok
}

// tryRequest tries another form of one request.
func (m *minimiser) tryRequest(i int, r request) bool {
	h := history{m.best.title, slices.Clone(m.best.exchanges)}
	h.exchanges[i].request = r
	return m.try(h)
}

// dropRequests leaves out runs of requests, of all lengths that halving gives, the last ones first. The very last is the
// one that is answered differently.
func (m *minimiser) dropRequests() {
	for size := len(m.best.exchanges) / 2; size > 0; size /= 2 {
		for to := len(m.best.exchanges) - 1; to > 0; to -= size {
			from := max(0, to-size)
			m.try(history{m.best.title, slices.Delete(slices.Clone(m.best.exchanges), from, to)})
		}
	}
}

// simplify leaves out options and headers of a request, and writes YAML as JSON, which can be cut.
func (m *minimiser) simplify(i int) {
	for n := 0; ; {
		path, query, _ := strings.Cut(m.best.exchanges[i].request.path, "?")
		options := strings.Split(query, "&")
		if query == "" || n >= len(options) {
			break
		}
		r := m.best.exchanges[i].request
		r.path = strings.TrimSuffix(path+"?"+strings.Join(slices.Delete(options, n, n+1), "&"), "?")
		if !m.tryRequest(i, r) {
			n++
		}
	}
	for n := len(m.best.exchanges[i].request.header) - 1; n >= 0; n-- {
		r := m.best.exchanges[i].request
		header := r.header[n]
		r.header = slices.Delete(slices.Clone(r.header), n, n+1)
		if header == "Content-Type: application/yaml" {
			if value, ok := tree(r.body).(map[string]any); ok {
				r.header, r.body = append(r.header, "Content-Type: application/json"), pretty(value)
			}
		}
		if header != "Content-Type: application/json" { // which a reader wants to see
			m.tryRequest(i, r)
		}
	}
}

// cutBody leaves out fields and elements of a JSON body, from the outside in.
func (m *minimiser) cutBody(i int) {
	for n := 0; ; {
		r := m.best.exchanges[i].request
		smaller, more := without(r.body, n)
		if !more {
			return
		}
		r.body = smaller
		if !m.tryRequest(i, r) {
			n++
		}
	}
}

// without is a JSON body that lacks its n-th field or element, counted from the outside; false: there are not so many.
func without(body string, n int) (string, bool) {
	var value any
	if json.Unmarshal([]byte(body), &value) != nil {
		return "", false
	}
	type part struct {
		value any
		put   func(any) // replaces the part where it stands
	}
	queue := []part{{value, func(v any) { value = v }}}
	for left := n; len(queue) > 0; queue = queue[1:] {
		switch v := queue[0].value.(type) {
		case map[string]any:
			for _, k := range sortedKeys(v) {
				if left == 0 {
					delete(v, k)
					return pretty(value), true
				}
				left--
				queue = append(queue, part{v[k], func(child any) { v[k] = child }})
			}
		case []any:
			for i := range v {
				if left == 0 {
					queue[0].put(slices.Delete(v, i, i+1))
					return pretty(value), true
				}
				left--
				queue = append(queue, part{v[i], func(child any) { v[i] = child }})
			}
		}
	}
	return "", false
}
