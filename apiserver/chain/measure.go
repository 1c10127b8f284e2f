package chain

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"proa/internal/measure"
)

// requestKey is what requests are counted by.
type requestKey struct {
	verb, group, version, resource, subresource, scope string
	dryRun                                             bool
	code                                               int // 0 where the code does not count
}

// mostKeys bounds what is kept, for definitions of custom kinds come and go.
const mostKeys = 10000

// Counts are the counters of a chain.
type Counts struct {
	answered  *measure.Table[requestKey, atomic.Int64]
	durations *measure.Table[requestKey, measure.Histogram]
	own       *measure.Table[requestKey, measure.Histogram] // without what requests waited for
	stopped   *measure.Table[requestKey, atomic.Int64]
	long      *measure.Table[requestKey, atomic.Int64]
	sizes     *measure.Table[requestKey, measure.Histogram] // of the answers to reads
	old       *measure.Table[requestKey, atomic.Int64]      // uses of what will be removed
	decided   decisions

	reading, writing atomic.Int64
}

// NewCounts makes counters that stand at 0.
func NewCounts() *Counts {
	number := func() *atomic.Int64 { return new(atomic.Int64) }
	return &Counts{
		answered: measure.NewTable[requestKey](mostKeys, number),
		long:     measure.NewTable[requestKey](mostKeys, number),
		stopped:  measure.NewTable[requestKey](mostKeys, number),
		old:      measure.NewTable[requestKey](mostKeys, number),
		sizes: measure.NewTable[requestKey](mostKeys, func() *measure.Histogram {
			return measure.NewHistogram(1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)
		}),
		own: measure.NewTable[requestKey](mostKeys, func() *measure.Histogram {
			return measure.NewHistogram(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
		}),
		durations: measure.NewTable[requestKey](mostKeys, func() *measure.Histogram {
			return measure.NewHistogram(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
		}),
	}
}

// counted counts requests, those refused too, and how long they took.
func (c *Config) counted(next http.Handler) http.Handler {
	if c.Counts == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := InfoFrom(r.Context())
		key := c.keyOf(r, info)
		seen := &coded{ResponseWriter: w, code: http.StatusOK}
		defer c.Counts.begin(info, key, c.Clock, seen)()
		next.ServeHTTP(seen, r)
	})
}

func (c *Counts) begin(info *Info, key requestKey, clock clock.PassiveClock, seen *coded) (end func()) {
	current := &c.reading
	if info.Verb != "get" && info.Verb != "list" && info.Verb != "watch" {
		current = &c.writing
	}
	long := LongRunning(info)
	if long {
		current = c.long.Of(key)
	}
	current.Add(1)
	began := clock.Now()
	return func() {
		current.Add(-1)
		if !long {
			took := clock.Since(began)
			c.durations.Of(key).Observe(took.Seconds())
			if info.IsResource {
				c.own.Of(key.objective()).Observe((took - time.Duration(info.waited.Load())).Seconds())
			}
		}
		if key.verb == http.MethodGet || key.verb == "LIST" {
			c.sizes.Of(key.objective()).Observe(float64(seen.size))
		}
		if info.Deprecated {
			c.old.Of(key.deprecated()).Add(1)
		}
		key.code = seen.code
		c.answered.Of(key).Add(1)
		if info.stopped.Load() || seen.code == http.StatusGatewayTimeout {
			c.stopped.Of(key).Add(1)
		}
	}
}

// objective is the key of service level objectives, which do not tell dry runs apart.
func (k requestKey) objective() requestKey {
	k.dryRun = false
	return k
}

// deprecated is the key of what is used that will be removed.
func (k requestKey) deprecated() requestKey {
	return requestKey{group: k.group, version: k.version, resource: k.resource, subresource: k.subresource}
}

// keyOf names a request as upstream's metrics do. Names that only the client knows are not kept: they could be any number.
func (c *Config) keyOf(r *http.Request, info *Info) requestKey {
	if !info.IsResource || c.Serves != nil && !c.Serves(info) {
		return requestKey{verb: method(r.Method), subresource: topPath(info.Path)}
	}
	key := requestKey{group: info.Group, version: info.Version, resource: info.Resource, subresource: info.Subresource, scope: "cluster",
		dryRun: strings.Contains(r.URL.RawQuery, "dryRun=")}
	switch {
	case info.Name != "":
		key.scope = "resource"
	case info.Namespace != "":
		key.scope = "namespace"
	}
	switch {
	case longDoors[info.Subresource] && info.Subresource != "log":
		key.verb = "CONNECT"
	case info.Verb == "create":
		key.verb = "POST"
	case info.Verb == "update":
		key.verb = "PUT"
	case info.Verb == "patch" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch"):
		key.verb = "APPLY"
	default:
		key.verb = upper(info.Verb)
	}
	return key
}

// topPath is the first part of a path, of those that the server is asked for: others are one.
func topPath(path string) string {
	top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch top {
	case "api", "apis", "healthz", "livez", "readyz", "metrics", "openapi", "version", ".well-known":
		return "/" + top
	}
	return ""
}

// method is a method of HTTP, of those that the server is asked for: others are one.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return name
	}
	return "other"
}

// upper spells the verbs without making a string.
func upper(verb string) string {
	switch verb {
	case "get":
		return "GET"
	case "list":
		return "LIST"
	case "watch":
		return "WATCH"
	case "delete":
		return "DELETE"
	case "deletecollection":
		return "DELETECOLLECTION"
	case "patch":
		return "PATCH"
	}
	return "other"
}

// Measures lists what dashboards know as apiserver_request_*.
func (c *Counts) Measures() []measure.Family {
	labels := []string{"verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component"}
	total := measure.Family{Name: "apiserver_request_total", Help: "Requests that were answered", Type: measure.Counter, Labels: append(labels[:8:8], "code")}
	c.answered.All(func(k requestKey, n *atomic.Int64) {
		total.Add(float64(n.Load()), append(k.values(), strconv.Itoa(k.code))...)
	})
	seconds := measure.Family{Name: "apiserver_request_duration_seconds", Help: "How long requests took, but for those that last", Type: measure.Distribution, Labels: labels}
	c.durations.All(func(k requestKey, h *measure.Histogram) { seconds.AddHistogram(h, k.values()...) })
	sli := measure.Family{Name: "apiserver_request_sli_duration_seconds", Help: "How long requests took, without what they waited for", Type: measure.Distribution,
		Labels: []string{"verb", "group", "version", "resource", "subresource", "scope", "component"}}
	c.own.All(func(k requestKey, h *measure.Histogram) {
		sli.AddHistogram(h, k.verb, k.group, k.version, k.resource, k.subresource, k.scope, "apiserver")
	})
	stopped := measure.Family{Name: "apiserver_request_terminations_total", Help: "Requests that were refused, or ended, to protect the server", Type: measure.Counter,
		Labels: []string{"verb", "group", "version", "resource", "subresource", "scope", "component", "code"}}
	c.stopped.All(func(k requestKey, n *atomic.Int64) {
		stopped.Add(float64(n.Load()), k.verb, k.group, k.version, k.resource, k.subresource, k.scope, "apiserver", strconv.Itoa(k.code))
	})
	long := measure.Family{Name: "apiserver_longrunning_requests", Help: "Requests under way that last: watches and streams", Type: measure.Gauge,
		Labels: []string{"verb", "group", "version", "resource", "subresource", "scope", "component"}}
	c.long.All(func(k requestKey, n *atomic.Int64) {
		long.Add(float64(n.Load()), k.verb, k.group, k.version, k.resource, k.subresource, k.scope, "apiserver")
	})
	inflight := measure.Family{Name: "apiserver_current_inflight_requests", Help: "Requests under way, but for those that last", Type: measure.Gauge, Labels: []string{"request_kind"}}
	inflight.Add(float64(c.reading.Load()), "readOnly")
	inflight.Add(float64(c.writing.Load()), "mutating")
	sizes := measure.Family{Name: "apiserver_response_sizes", Help: "Bytes of the answers to reads", Type: measure.Distribution,
		Labels: []string{"verb", "group", "version", "resource", "subresource", "scope", "component"}}
	c.sizes.All(func(k requestKey, h *measure.Histogram) {
		sizes.AddHistogram(h, k.verb, k.group, k.version, k.resource, k.subresource, k.scope, "apiserver")
	})
	old := measure.Family{Name: "apiserver_requested_deprecated_apis", Help: "Resources that were asked for and will be removed", Type: measure.Gauge,
		Labels: []string{"group", "version", "resource", "subresource", "removed_release"}}
	c.old.All(func(k requestKey, _ *atomic.Int64) { old.Add(1, k.group, k.version, k.resource, k.subresource, "") })
	return append([]measure.Family{total, seconds, sli, stopped, long, inflight, sizes, old}, c.decided.measures()...)
}

func (k requestKey) values() []string {
	dry := ""
	if k.dryRun {
		dry = "All"
	}
	return []string{k.verb, dry, k.group, k.version, k.resource, k.subresource, k.scope, "apiserver"}
}

// coded remembers the status of an answer. It passes Flush and, by Unwrap, all that http.ResponseController knows.
type coded struct {
	http.ResponseWriter
	code    int
	size    int64 // bytes of the body
	wrote   bool
	started func(code int) // optional
}

func (w *coded) note(code int) {
	if w.wrote || code < http.StatusOK && code != http.StatusSwitchingProtocols {
		return
	}
	w.code, w.wrote = code, true
	if w.started != nil {
		w.started(code)
	}
}

func (w *coded) WriteHeader(code int) {
	w.note(code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *coded) Write(p []byte) (int, error) {
	w.note(http.StatusOK)
	n, err := w.ResponseWriter.Write(p)
	w.size += int64(n)
	return n, err
}

func (w *coded) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Hijack is for streams, whose libraries ask for it by type.
func (w *coded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.note(http.StatusSwitchingProtocols)
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *coded) Unwrap() http.ResponseWriter { return w.ResponseWriter }
