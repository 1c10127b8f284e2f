// Package fake is the API in memory, for the tests of everything that talks to it through client.Client.
//
// It decides what the API's storage layer decides whatever the kind: versions, conflicts, names, generations, deletion with
// finalizers and grace, and which half of an object a write may touch. It checks no permission and validates nothing but what
// its kinds' rows say. It owns its objects and prints what was done to them; faults can be put before every write.
package fake

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"proa/client"
	"proa/kinds"
)

// API is a whole API in memory. Its methods may be called from many goroutines.
type API struct {
	kinds *kinds.Table
	now   func() time.Time

	mu struct {
		sync.Mutex
		revision int64
		tables   map[string]table // copied when written: views share them
		history  []change
		changed  chan struct{} // closed at the next change
		broken   int           // watches begun before this count have been broken
		watches  int
		names    int
		uids     int
		log      []Action
		faults   []func(Action) error
	}
}

type objectKey struct{ namespace, name string }

type table map[objectKey]client.Object

type change struct {
	revision int64
	table    string
	event    client.Event
}

// Config is what an API needs.
type Config struct {
	Kinds *kinds.Table     // Required.
	Now   func() time.Time // nil means time.Now
}

// New makes an empty API.
func New(config Config) *API {
	a := &API{kinds: config.Kinds, now: config.Now}
	if a.now == nil {
		a.now = time.Now
	}
	a.mu.tables = map[string]table{}
	a.mu.changed = make(chan struct{})
	return a
}

// Action is one write that was asked for.
type Action struct {
	Identity string
	Verb     string // create, update, patch, delete
	Ref      client.Ref
	Sub      string
	// Detail is what it changed, as a JSON merge patch without the fields that the API sets, or the options of a deletion.
	Detail string
	Err    error
}

// String prints the action on one line.
func (a Action) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s %s", a.Identity[strings.LastIndex(a.Identity, ":")+1:], a.Verb, a.Ref.Table)
	if a.Sub != "" {
		out.WriteString("/" + a.Sub)
	}
	out.WriteByte(' ')
	if a.Ref.Namespace != "" {
		out.WriteString(a.Ref.Namespace + "/")
	}
	out.WriteString(a.Ref.Name)
	if a.Detail != "" {
		out.WriteString(" " + a.Detail)
	}
	if a.Err != nil {
		out.WriteString(" error: " + a.Err.Error())
	}
	return out.String()
}

// TakeLog returns the actions since the last call.
func (a *API) TakeLog() []Action {
	a.mu.Lock()
	defer a.mu.Unlock()
	log := a.mu.log
	a.mu.log = nil
	return log
}

// Fault has f asked before every write; the write fails with the error that f returns. The function returned removes f.
func (a *API) Fault(f func(Action) error) (remove func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := len(a.mu.faults)
	a.mu.faults = append(a.mu.faults, f)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.mu.faults[i] = func(Action) error { return nil }
	}
}

// BreakWatches makes the next Next of every watch that exists fail.
func (a *API) BreakWatches() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.broken = a.mu.watches
	a.wakeLocked()
}

// As is the client of an identity.
func (a *API) As(identity string) client.Client { return &fakeClient{api: a, identity: identity} }

func (a *API) wakeLocked() {
	close(a.mu.changed)
	a.mu.changed = make(chan struct{})
}

// publishLocked makes a change visible; exactly one of obj and old may be nil.
func (a *API) publishLocked(name string, key objectKey, obj, old client.Object) {
	next := maps.Clone(a.mu.tables[name])
	if next == nil {
		next = table{}
	}
	event := client.Event{Type: client.Updated, Object: obj, Old: old}
	switch {
	case obj == nil:
		delete(next, key)
		event = client.Event{Type: client.Deleted, Object: old, Old: old}
	case old == nil:
		next[key] = obj
		event.Type = client.Created
	default:
		next[key] = obj
	}
	tables := maps.Clone(a.mu.tables)
	tables[name] = next
	a.mu.tables = tables
	a.mu.history = append(a.mu.history, change{revision: a.mu.revision, table: name, event: event})
	a.wakeLocked()
}

// view is an immutable state.
type view struct {
	revision int64
	tables   map[string]table
}

func (a *API) view() *view {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &view{revision: a.mu.revision, tables: a.mu.tables}
}

// Revision implements client.View.
func (v *view) Revision() int64 { return v.revision }

// Get implements client.View.
func (v *view) Get(ref client.Ref) client.Object {
	obj := v.tables[ref.Table][objectKey{ref.Namespace, ref.Name}]
	if obj == nil {
		return nil
	}
	return obj
}

// List implements client.View.
func (v *view) List(name, namespace string) iter.Seq[client.Object] {
	return func(yield func(client.Object) bool) {
		t := v.tables[name]
		keys := slices.SortedFunc(maps.Keys(t), func(a, b objectKey) int {
			if c := strings.Compare(a.namespace, b.namespace); c != 0 {
				return c
			}
			return strings.Compare(a.name, b.name)
		})
		for _, key := range keys {
			if namespace != "" && key.namespace != namespace {
				continue
			}
			if !yield(t[key]) {
				return
			}
		}
	}
}
