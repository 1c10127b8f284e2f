package custom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"proa/kinds"
	"proa/kinds/apiextensions"
	"proa/kinds/resource"
	"proa/store"
)

// Config is what kinds are made with.
type Config struct {
	Store Source       // required: where the definitions are
	Kinds *kinds.Table // required: gets the rows
	Call  Call         // optional: without it conversion by webhook fails
	Log   *slog.Logger // optional
}

// Source is what is needed of a store.
type Source interface {
	Snapshot() store.Snapshot
	Watch(table string, rev store.Revision) (store.Watcher, error)
}

// Kinds keeps the custom rows of a table of kinds in step with the definitions in a store.
type Kinds struct {
	cfg   Config
	epoch atomic.Uint64
	made  map[string]made // by the definition's name; of one goroutine at a time
	gone  []*kind         // whose rows are current until the next publish
	rev   store.Revision  // up to which made is current
}

// made is a definition and what was made of it: nil if it is not served.
type made struct {
	from *apiextensionsv1.CustomResourceDefinition
	kind *kind
}

// New makes rows of the definitions that there are, so that the first request finds them. Run keeps them in step.
func New(c Config) (*Kinds, error) {
	if c.Store == nil || c.Kinds == nil {
		return nil, errors.New("make custom kinds: Store and Kinds are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Kinds{cfg: c, made: map[string]made{}}
	k.load()
	return k, nil
}

// Run follows the definitions until ctx or the store ends.
func (k *Kinds) Run(ctx context.Context) error {
	for {
		err := k.follow(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return nil
		case errors.Is(err, store.ErrCompacted): // it fell behind the history
			k.cfg.Log.Info("definitions changed faster than they were followed, starting anew")
			k.load()
		default:
			return err
		}
	}
}

func (k *Kinds) follow(ctx context.Context) error {
	watcher, err := k.cfg.Store.Watch(apiextensions.Table, k.rev)
	if err != nil {
		return fmt.Errorf("watch definitions: %w", err)
	}
	for {
		events, err := watcher.Next(ctx)
		if err != nil {
			return fmt.Errorf("watch definitions: %w", err)
		}
		changed := false
		for i := range events {
			e := &events[i]
			d, _ := e.Item.Value().(*apiextensionsv1.CustomResourceDefinition)
			if e.Type == store.Deleted {
				d = nil
			}
			changed = k.set(e.Item.Key.Name, d) || changed
		}
		k.rev = watcher.Progress()
		if changed {
			k.publish()
		}
	}
}

// load makes the rows of a snapshot.
func (k *Kinds) load() {
	snap := k.cfg.Store.Snapshot()
	changed := false
	there := map[string]bool{}
	for item := range snap.List(apiextensions.Table, "", store.Key{}) {
		if d, ok := item.Value().(*apiextensionsv1.CustomResourceDefinition); ok {
			there[d.Name] = true
			changed = k.set(d.Name, d) || changed
		}
	}
	for name := range k.made {
		if !there[name] {
			changed = k.set(name, nil) || changed
		}
	}
	k.rev = snap.Revision()
	if changed {
		k.publish()
	}
}

// set notes the newest state of a definition, nil for none, and says whether rows change by it.
func (k *Kinds) set(name string, d *apiextensionsv1.CustomResourceDefinition) (changed bool) {
	was := k.made[name]
	if d != nil && was.from != nil && sameKind(was.from, d) {
		return false
	}
	if was.kind != nil {
		k.gone = append(k.gone, was.kind)
		changed = true
	}
	delete(k.made, name)
	if d == nil {
		return changed
	}
	now := made{from: d}
	if served(d) {
		now.kind = newKind(d, k.cfg.Call, func() uint64 { return k.epoch.Add(1) })
		changed = true
	}
	k.made[name] = now
	return changed
}

// publish sets the rows of the table, in order of the definitions' names.
func (k *Kinds) publish() {
	var rows []*resource.Resource
	for _, name := range slices.Sorted(maps.Keys(k.made)) {
		if kind := k.made[name].kind; kind != nil {
			rows = append(rows, kind.stored)
		}
	}
	k.cfg.Kinds.SetCustom(rows)
	for _, kind := range k.gone {
		close(kind.replaced) // streams that end by it find the new rows
	}
	k.gone = nil
}
