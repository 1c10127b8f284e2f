package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/client"
	"proa/kinds"
)

// Config is what a Host needs.
type Config struct {
	// Client makes the client of an identity. Required.
	Client func(identity string) client.Client
	// Kinds names the objects of events. Required.
	Kinds *kinds.Table
	// Identity is the user whose views and watches tell the host about changes; empty means upstream's.
	Identity string
	// Clock is the host's time; nil means the machine's.
	Clock Clock
	// Log is where errors go; nil means nowhere.
	Log *slog.Logger
	// Resync is how often every key is looked at without cause; 0 means 10 minutes, below 0 never.
	Resync time.Duration
	// Observe, if set, is told about every run of a controller. It must be quick.
	Observe func(Observation)
}

// Observation is one run of a controller.
type Observation struct {
	Controller string
	Key        Key
	Took       time.Duration
	Err        error // nil: all was well
}

const (
	defaultIdentity = "system:kube-controller-manager"
	defaultResync   = 10 * time.Minute
	parallelWrites  = 16
)

// Host runs controllers.
type Host struct {
	config      Config
	reader      client.Client
	controllers []*running
	tables      []string // all tables that are read, each once
	started     atomic.Bool
}

// running is a controller with its queue.
type running struct {
	Controller
	kinds  *kinds.Table
	client client.Client
	events *Recorder
	queue  *queue
	log    *slog.Logger
}

// New makes a host of controllers. It refuses incomplete ones, two of one name, and two writers of one field.
func New(config Config, controllers ...Controller) (*Host, error) {
	if config.Client == nil || config.Kinds == nil {
		return nil, errors.New("make controller host: Config.Client and Config.Kinds are required")
	}
	if err := check(controllers); err != nil {
		return nil, fmt.Errorf("make controller host: %w", err)
	}
	if config.Identity == "" {
		config.Identity = defaultIdentity
	}
	if config.Clock == nil {
		config.Clock = SystemClock{}
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Resync == 0 {
		config.Resync = defaultResync
	}
	if config.Observe == nil {
		config.Observe = func(Observation) {}
	}
	return &Host{config: config, controllers: runnings(config.Kinds, controllers), tables: tablesOf(controllers)}, nil
}

func runnings(table *kinds.Table, controllers []Controller) []*running {
	list := make([]*running, len(controllers))
	for i, c := range controllers {
		list[i] = &running{Controller: c, kinds: table}
	}
	return list
}

func tablesOf(controllers []Controller) []string {
	var tables []string
	seen := map[string]bool{}
	for _, c := range controllers {
		for _, read := range c.Reads {
			if !seen[read.Table] {
				seen[read.Table] = true
				tables = append(tables, read.Table)
			}
		}
	}
	return tables
}

func check(controllers []Controller) error {
	names := map[string]bool{}
	var fields []writer
	for _, c := range controllers {
		if c.Name == "" || c.Identity == "" || c.Reconcile == nil || len(c.Reads) == 0 {
			return fmt.Errorf("controller %q lacks a name, an identity, a Reconcile or Reads", c.Name)
		}
		if names[c.Name] {
			return fmt.Errorf("two controllers are called %q", c.Name)
		}
		names[c.Name] = true
		for _, field := range c.Writes {
			for _, other := range fields {
				if overlap(field, other.field) && other.controller != c.Name {
					return fmt.Errorf("controllers %q and %q both write %s", other.controller, c.Name, field)
				}
			}
			fields = append(fields, writer{controller: c.Name, field: field})
		}
	}
	return nil
}

type writer struct{ controller, field string }

// overlap says whether one field is the other or lies within it: "pods/status" holds "pods/status.phase".
func overlap(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	rest, ok := strings.CutPrefix(b, a)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[/("))
}

// Run runs the controllers until ctx ends, and returns when their last work is done.
func (h *Host) Run(ctx context.Context) error {
	h.reader = h.config.Client(h.config.Identity)
	for _, c := range h.controllers {
		h.start(ctx, c)
	}
	h.started.Store(true)
	var followers sync.WaitGroup
	for _, table := range h.tables {
		followers.Go(func() { h.follow(ctx, table, h.readers(table, nil)) })
	}
	followers.Go(func() { h.followCustom(ctx) })
	stopResync := h.resync()

	<-ctx.Done()
	stopResync()
	followers.Wait()
	for _, c := range h.controllers {
		c.queue.close()
		c.events.close()
	}
	return nil
}

func (h *Host) start(ctx context.Context, c *running) {
	c.client = h.config.Client(c.Identity)
	c.log = h.config.Log.With("controller", c.Name)
	c.events = newRecorder(recorderConfig{
		client: c.client, kinds: h.config.Kinds, component: c.EventSource(),
		clock: h.config.Clock, log: c.log, background: ctx,
	})
	c.queue = newQueue(h.config.Clock, c.Workers, func(key Key) { h.reconcile(ctx, c, key) })
}

// resync adds all keys now and then, until the function that it returns is called.
func (h *Host) resync() (stop func()) {
	if h.config.Resync < 0 {
		return func() {}
	}
	var mu sync.Mutex
	var timer Timer
	var again func()
	stopped := false
	arm := func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			timer = h.config.Clock.AfterFunc(h.config.Resync, again)
		}
	}
	again = func() {
		view := h.reader.View()
		for _, c := range h.controllers {
			c.addAll(view)
		}
		arm()
	}
	arm()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// addAll adds every key that the objects of the view give rise to.
func (c *running) addAll(view client.View) {
	for _, read := range c.Reads {
		c.addTable(read, view)
	}
	if c.Custom == nil {
		return
	}
	rows, _ := c.kinds.Custom()
	for _, row := range rows {
		if read, wanted := c.Custom(row); wanted {
			c.addTable(read, view)
		}
	}
}

func (c *running) addTable(read Read, view client.View) {
	for obj := range view.List(read.Table, "") {
		c.queue.add(read.Keys(view, client.Event{Type: client.Created, Object: obj})...)
	}
}

// reconcile works on one key and tells the queue how it went.
func (h *Host) reconcile(ctx context.Context, c *running, key Key) {
	if ctx.Err() != nil {
		c.queue.finish(key, 0)
		return
	}
	start := h.config.Clock.Now()
	landing := &landing{Client: c.client}
	result, err := c.call(ctx, Request{
		Key: key, View: c.client.View(), Now: start, Client: landing,
		Events: c.events, Log: c.log.With("key", key.String()), Parallel: parallelWrites,
	})
	if landed := landing.wait(ctx); err == nil {
		err = landed
	}
	h.config.Observe(Observation{Controller: c.Name, Key: key, Took: h.config.Clock.Now().Sub(start), Err: err})
	if err == nil {
		c.queue.finish(key, result.After)
		return
	}
	delay := c.queue.fail(key)
	level := slog.LevelWarn
	if apierrors.IsConflict(err) || ctx.Err() != nil {
		level = slog.LevelDebug
	}
	c.log.Log(ctx, level, "reconcile failed", "key", key.String(), "again", delay, "error", err)
}

// call runs Reconcile; a panic there is an error of that key, not the end of the process.
func (c *running) call(ctx context.Context, req Request) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reconcile %s: panic: %v\n%s", req.Key, p, debug.Stack())
		}
	}()
	return c.Reconcile(ctx, req)
}
