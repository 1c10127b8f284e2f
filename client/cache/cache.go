// Package cache makes a client.Client of a remote API: views that are local, kept up to date by streams.
//
// It decides what is asked of the API, and when: the tables it was made for, each by one stream, and single objects for
// those tables of which the reader may have only what other objects name. It owns the objects it holds and the one
// goroutine per stream below Run. A stream that ends is taken up at its last revision; only when the API no longer knows that
// revision is everything read again, and then watchers see the difference, not the reading. When the API cannot be
// reached, views stay as they are, and one request at a time, ever more slowly, finds out when it is back.
package cache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"proa/client"
	"proa/kinds"
)

// API is what a cache is made over: remote.Remote.
type API interface {
	client.Streamer
	Create(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.CreateOptions) (client.Object, error)
	Update(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.UpdateOptions) (client.Object, error)
	Patch(ctx context.Context, ref client.Ref, sub string, kind types.PatchType, patch []byte, opts metav1.PatchOptions) (client.Object, error)
	Delete(ctx context.Context, ref client.Ref, opts metav1.DeleteOptions) error
	GetLive(ctx context.Context, ref client.Ref) (client.Object, error)
}

// Table is a table that the cache holds.
type Table struct {
	Name   string // "pods", "endpointslices.discovery.k8s.io"
	Fields string // a field selector that narrows it, such as "spec.nodeName=alpha"
	// NamedBy makes it a table of single objects: those, and only those, that objects of the table Of name. Each is followed
	// by a stream of its own for as long as it is named, for a node may not read more. NamedBy must be pure.
	NamedBy func(obj client.Object) iter.Seq[client.Ref]
	Of      string
}

// Config says what a cache holds. API, Kinds and Tables are required.
type Config struct {
	API    API
	Kinds  *kinds.Table
	Tables []Table
	Log    *slog.Logger
	Clock  clock.Clock    // the real one if nil
	Random func() float64 // in [0,1), for the jitter of pauses; math/rand/v2's if nil
}

// Cache is a client whose views are local. Calls other than View, Watch and WaitFor go to the API.
type Cache struct {
	API
	cfg    Config
	tables map[string]*held
	gate   *gate
	ready  chan struct{} // closed when every table but those of single objects has been read
	newest atomic.Pointer[view]
	mu     struct {
		sync.Mutex
		reading int           // tables that have not been read yet
		changed chan struct{} // closed and replaced at each publication
	}
}

// held is what a cache knows of one table for good.
type held struct {
	Table
	fields   fields.Selector
	fieldsOf func(client.Object) fields.Set
}

var _ client.Client = (*Cache)(nil)

// New makes a cache. Run fills it.
func New(cfg Config) (*Cache, error) {
	if cfg.API == nil || cfg.Kinds == nil || len(cfg.Tables) == 0 {
		return nil, errors.New("make cache: API, Kinds and Tables are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.RealClock{}
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	c := &Cache{API: cfg.API, cfg: cfg, tables: map[string]*held{}, ready: make(chan struct{})}
	c.gate = newGate(cfg.Clock, cfg.Random)
	c.mu.changed = make(chan struct{})
	first := &view{cache: c, tables: map[string]*state{}}
	for _, t := range cfg.Tables {
		h, err := newHeld(cfg.Kinds, t)
		if err != nil {
			return nil, err
		}
		if c.tables[t.Name] != nil {
			return nil, fmt.Errorf("make cache: table %s is named twice", t.Name)
		}
		c.tables[t.Name] = h
		first.tables[t.Name] = newState()
		if t.NamedBy == nil {
			c.mu.reading++
		}
	}
	for _, h := range c.tables {
		if of := c.tables[h.Of]; h.NamedBy != nil && (of == nil || of.NamedBy != nil) {
			return nil, fmt.Errorf("make cache: table %s is named by objects of %q, which is not held", h.Name, h.Of)
		}
	}
	if c.mu.reading == 0 {
		close(c.ready)
	}
	c.newest.Store(first)
	return c, nil
}

func newHeld(table *kinds.Table, t Table) (*held, error) {
	row := table.ByTable(t.Name)
	if row == nil {
		return nil, fmt.Errorf("make cache: no resource is kept in table %q", t.Name)
	}
	selector, err := fields.ParseSelector(t.Fields)
	if err != nil {
		return nil, fmt.Errorf("make cache: selector of %s: %w", t.Name, err)
	}
	return &held{Table: t, fields: selector, fieldsOf: func(obj client.Object) fields.Set {
		set := fields.Set{"metadata.name": obj.GetName(), "metadata.namespace": obj.GetNamespace()}
		if row.Fields != nil {
			for k, v := range row.Fields(obj) {
				set[k] = v
			}
		}
		return set
	}}, nil
}

// holds says whether the table would show an object as it is.
func (h *held) holds(obj client.Object) bool { return h.fields.Matches(h.fieldsOf(obj)) }

// Ready is closed when every table has been read once, but for single objects. Until then views lack objects that the API
// has, and whoever would take an absent object for a deleted one must not look.
func (c *Cache) Ready() <-chan struct{} { return c.ready }

// Run keeps the cache up to date until ctx ends.
func (c *Cache) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for _, h := range c.tables {
		if h.NamedBy != nil {
			group.Go(func() { c.followNamed(ctx, h) })
			continue
		}
		f := c.newFollower(client.Selection{Table: h.Name, Fields: h.Fields})
		f.whole = true
		group.Go(func() { f.run(ctx) })
	}
	group.Wait()
	return nil
}
