package verbs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/store"
)

const (
	bookmarkPeriod  = time.Minute      // between bookmarks on a quiet stream
	minWatchTimeout = 30 * time.Minute // of watches that name no timeout; doubled at random so that they do not end together
)

// watch is one stream of events to one client.
type watch struct {
	q        Request
	pick     *selector
	stream   *encode.Stream
	bookmark bool
	decode   func(*store.Item) any
	crowd    *crowd
}

func (v *Verbs) serveWatch(w http.ResponseWriter, c *call) error {
	opts, err := listOptions(c.query())
	if err != nil {
		return err
	}
	pick, err := parseSelector(c.Version, opts.LabelSelector, opts.FieldSelector, c.Name)
	if err != nil {
		return err
	}
	rev, err := storageRevision(opts.ResourceVersion)
	if err != nil {
		return err
	}
	timeout := time.Duration(float64(minWatchTimeout) * (1 + rand.Float64()))
	if opts.TimeoutSeconds != nil && *opts.TimeoutSeconds != 0 {
		timeout = time.Duration(*opts.TimeoutSeconds) * time.Second // below 0, as very many seconds are, it ends at once
	}
	// All that ends a watch ends its context: a select over a channel for each would be most of what an event costs.
	ctx, cancel := context.WithCancel(c.raw.Context())
	defer cancel()
	defer v.Clock.AfterFunc(timeout, cancel).Stop()
	if v.Stopping != nil {
		defer context.AfterFunc(v.Stopping, cancel)()
	}
	w, close := asSocket(w, c.raw, cancel)
	defer close()
	p := c.respond(v)
	stream, err := p.Watch(w, c.Version)
	if err != nil {
		return err
	}
	if timeout < 0 {
		return nil
	}
	s := &watch{q: c.Request, pick: pick, stream: stream, bookmark: opts.AllowWatchBookmarks, decode: v.decode, crowd: v.crowds.of(c.Version.Resource.Table())}
	if err := s.run(ctx, v, opts, rev); err != nil && c.raw.Context().Err() == nil {
		_ = stream.Error(err)
		stream.Flush()
	}
	return nil
}

// run sends what is there, if that was asked for, and then every change.
func (s *watch) run(ctx context.Context, v *Verbs, opts *metav1.ListOptions, rev store.Revision) error {
	initial := rev == 0 && opts.SendInitialEvents == nil || opts.SendInitialEvents != nil && *opts.SendInitialEvents
	if rev > 0 {
		if initial {
			if err := v.waitFor(ctx, rev); err != nil {
				return err
			}
		} else {
			chain.Initialized(ctx) // who waits for a revision that is far off keeps no seat
			if v.Store.Snapshot().Revision() < rev && v.Store.WaitFor(ctx, rev) != nil {
				return nil
			}
		}
	}
	from := rev
	if initial || rev == 0 {
		snap := v.Store.Snapshot()
		from = snap.Revision()
		if initial {
			if err := s.state(snap); err != nil {
				return err
			}
			if opts.SendInitialEvents != nil && s.bookmark {
				if err := s.stream.Bookmark(from, true); err != nil {
					return err
				}
			}
			s.stream.Flush()
		}
	}
	watcher, err := v.Store.Watch(s.q.Version.Resource.Table(), from)
	if err != nil {
		return s.expired(err, from, v.Store.Compacted())
	}
	chain.Initialized(ctx)
	return s.follow(ctx, v, watcher, from)
}

func (s *watch) state(snap store.Snapshot) error {
	for item := range snap.List(s.q.Version.Resource.Table(), s.q.Namespace, store.Key{}) {
		if s.pick.matches(item) {
			if err := s.stream.Item("ADDED", item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *watch) follow(ctx context.Context, v *Verbs, watcher store.Watcher, from store.Revision) error {
	ticker := v.Clock.NewTicker(bookmarkPeriod)
	defer ticker.Stop()
	s.crowd.enter()
	defer s.crowd.leave()
	last := from
	var replaced <-chan struct{} // never, but for kinds that users define
	if c := s.q.Version.Resource.Custom; c != nil {
		replaced = c.Replaced
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-replaced:
			return nil
		case <-watcher.Ready():
		case <-ticker.C():
			if rev := watcher.Progress(); s.bookmark && rev > last {
				last = rev
				if err := s.stream.Bookmark(rev, false); err != nil {
					return err
				}
				s.stream.Flush()
			}
			continue
		}
		events, err := watcher.Next(ctx)
		if err != nil {
			return s.expired(err, last, v.Store.Compacted())
		}
		s.stream.Share(s.crowd.shared())
		for i := range events {
			if err := s.event(&events[i]); err != nil {
				return err
			}
		}
		if s.stream.Flush() && !s.crowd.pause(ctx, v.Clock) {
			return nil
		}
	}
}

// event sends a change as it looks through the selector.
func (s *watch) event(e *store.Event) error {
	if s.q.Namespace != "" && e.Item.Key.Namespace != s.q.Namespace {
		return nil
	}
	if s.pick.all() {
		return s.stream.Item(eventNames[e.Type], e.Item)
	}
	now := e.Type != store.Deleted && s.pick.matches(e.Item)
	before := e.Prev != nil && s.pick.matches(e.Prev)
	switch {
	case now && before:
		return s.stream.Item("MODIFIED", e.Item)
	case now:
		return s.stream.Item("ADDED", e.Item)
	case before && e.Type == store.Deleted:
		return s.stream.Item("DELETED", e.Item)
	case before:
		// The client sees the object as it was when it last matched, at the revision at which it stopped to.
		gone := store.NewItem(e.Prev.Key, e.Item.Revision, e.Prev.Created, e.Prev.Data, nil, s.decode)
		return s.stream.Item("DELETED", gone)
	}
	return nil
}

var eventNames = [...]string{store.Created: "ADDED", store.Updated: "MODIFIED", store.Deleted: "DELETED"}

// expired words the end of a watch that lost its history.
func (s *watch) expired(err error, from, oldest store.Revision) error {
	switch {
	case errors.Is(err, store.ErrCompacted):
		return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, oldest))
	case errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	}
	return err
}
