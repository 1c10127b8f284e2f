package cache

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/fields"

	"proa/client"
)

// followNamed follows the single objects of a table, those that objects of another table name now.
func (c *Cache) followNamed(ctx context.Context, h *held) {
	n := &named{cache: c, held: h, running: map[client.Ref]func(){}}
	defer n.stop()
	select { // until the other table has been read, nobody knows what is named
	case <-ctx.Done():
		return
	case <-c.ready:
	}
	for {
		v := c.newest.Load()
		n.sync(ctx, n.wanted(v))
		w := &watcher{at: v.tables[h.Of].last}
		if _, err := w.Next(ctx); err != nil {
			return // ctx ended
		}
	}
}

// named is the streams of single objects of one table. One goroutine uses it.
type named struct {
	cache   *Cache
	held    *held
	running map[client.Ref]func() // stops the stream of an object, and waits
	group   sync.WaitGroup
}

func (n *named) wanted(v *view) map[client.Ref]bool {
	wanted := map[client.Ref]bool{}
	for obj := range v.List(n.held.Of, "") {
		for ref := range n.held.NamedBy(obj) {
			if ref.Table == n.held.Name {
				wanted[ref] = true
			}
		}
	}
	return wanted
}

// sync starts and stops streams until exactly those of wanted run.
func (n *named) sync(ctx context.Context, wanted map[client.Ref]bool) {
	for ref, stop := range n.running {
		if !wanted[ref] {
			stop()
			delete(n.running, ref)
			n.forget(ref)
		}
	}
	for ref := range wanted {
		if n.running[ref] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		f := n.cache.newFollower(client.Selection{Table: ref.Table, Namespace: ref.Namespace,
			Fields: fields.OneTermEqualSelector("metadata.name", ref.Name).String()})
		f.name = ref.Name
		ended := make(chan struct{})
		n.group.Go(func() { defer close(ended); f.run(ctx) })
		n.running[ref] = func() { cancel(); <-ended }
	}
}

// forget drops an object that nobody names any more. Watchers see it leave, as what leaves a selection.
func (n *named) forget(ref client.Ref) {
	n.cache.change(ref.Table, func(s *state) []client.Event {
		old := s.get(ref.Namespace, ref.Name)
		if old == nil {
			return nil
		}
		return []client.Event{{Type: client.Deleted, Object: old, Old: old}}
	})
}

func (n *named) stop() {
	for _, stop := range n.running {
		stop()
	}
	n.group.Wait()
}
