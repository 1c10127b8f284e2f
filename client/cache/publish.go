package cache

import (
	"maps"

	"proa/client"
)

// change edits a table. edit is given a copy of the newest state, may set how far it has come, and returns the events that
// lead to its objects, which change applies. Without events views stay as they are.
func (c *Cache) change(table string, edit func(*state) []client.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.newest.Load()
	old := now.tables[table]
	next := &state{objects: old.objects, last: old.last, read: old.read, progress: old.progress}
	events := edit(next)
	v := &view{cache: c, revision: now.revision, tables: maps.Clone(now.tables)}
	v.tables[table] = next
	if len(events) > 0 {
		v.revision++
		next.objects = old.objects.Copy() // copiers exclude each other by the lock; readers go on
		for _, e := range events {
			if e.Type == client.Deleted {
				next.objects.Delete(entryOf(e.Object))
			} else {
				next.objects.Set(entryOf(e.Object))
			}
		}
		next.last = newBatch(events...)
	}
	if next.read && !old.read {
		if c.mu.reading--; c.mu.reading == 0 {
			defer close(c.ready)
		}
	}
	c.newest.Store(v)
	if len(events) > 0 {
		old.last.append(next.last) // after the view: who is told of an event finds it in the next View
	}
	close(c.mu.changed)
	c.mu.changed = make(chan struct{})
}

// eventOf is what a message means to a table, nil when it says nothing new.
func eventOf(s *state, m client.Message) []client.Event {
	old := s.get(m.Object.GetNamespace(), m.Object.GetName())
	switch {
	case m.Type == client.Deleted && old == nil:
		return nil
	case m.Type == client.Deleted:
		return []client.Event{{Type: client.Deleted, Object: m.Object, Old: old}}
	case old == nil:
		return []client.Event{{Type: client.Created, Object: m.Object}}
	case old.GetResourceVersion() == m.Object.GetResourceVersion():
		return nil
	}
	return []client.Event{{Type: client.Updated, Object: m.Object, Old: old}}
}

// difference is the events that lead from what a table holds of a selection to all that was read of it. An object that was
// deleted and made anew under its name is told as both.
func difference(s *state, sel client.Selection, name string, read map[entry]client.Object) []client.Event {
	var events []client.Event
	each := func(old client.Object) {
		key := entry{namespace: old.GetNamespace(), name: old.GetName()}
		obj := read[key]
		switch {
		case obj == nil || obj.GetUID() != old.GetUID():
			events = append(events, client.Event{Type: client.Deleted, Object: old, Old: old})
		case obj.GetResourceVersion() != old.GetResourceVersion():
			events = append(events, client.Event{Type: client.Updated, Object: obj, Old: old})
			delete(read, key)
		default:
			delete(read, key)
		}
	}
	if name != "" {
		if old := s.get(sel.Namespace, name); old != nil {
			each(old)
		}
	} else {
		s.objects.Scan(func(e entry) bool { each(e.obj); return true })
	}
	created := newState().objects // sorts
	for _, obj := range read {
		created.Set(entryOf(obj))
	}
	created.Scan(func(e entry) bool {
		events = append(events, client.Event{Type: client.Created, Object: e.obj})
		return true
	})
	return events
}
