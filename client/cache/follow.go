package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/client"
)

// longEnough is how long a stream must have lasted for its end to be no sign of trouble.
const longEnough = 30 * time.Second

// silent is how long a stream that brought nothing at all, not even how far the API is, must have lasted for its revision
// to be doubted. The API says every minute how far it is, if anything is written; an API that was put back to an older state
// says nothing to those who ask for what comes after a revision it does not have yet.
const silent = 4 * time.Minute

// follower keeps one selection of a table up to date.
//
//	reading (revision 0) -> complete -> following -> (stream ends) -> following from its revision
//	                                                -> (410, or doubt) -> reading
type follower struct {
	cache    *Cache
	sel      client.Selection
	name     string // of the single object, empty for a table
	whole    bool   // the selection is all that the table holds: its revision is the table's progress
	revision int64  // 0: all is to be read
	failures int
}

func (c *Cache) newFollower(sel client.Selection) *follower { return &follower{cache: c, sel: sel} }

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			f.failures = 0
			continue
		}
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			f.revision = 0
		}
		f.failures++
		f.cache.cfg.Log.Debug("stream ended", "table", f.sel.Table, "fields", f.sel.Fields, "error", err)
		select {
		case <-ctx.Done():
		case <-f.cache.cfg.Clock.After(spread(pauseAfter(f.failures), f.cache.cfg.Random)):
		}
	}
}

// once opens a stream and takes what it brings. It returns nil when the stream lasted and may be taken up at once.
func (f *follower) once(ctx context.Context) error {
	done, err := f.cache.gate.enter(ctx)
	if err != nil {
		return err
	}
	stream, err := f.cache.cfg.API.Follow(ctx, f.sel, f.revision)
	done(there(err))
	if err != nil {
		return err
	}
	defer stream.Close()
	begin := f.cache.cfg.Clock.Now()
	heard, err := f.take(stream)
	lasted := f.cache.cfg.Clock.Since(begin)
	if !heard && lasted >= silent {
		f.revision = 0
	}
	if lasted >= longEnough && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the server ended the stream early")
	}
	return err
}

// there says whether an error shows that the API is reached and able to answer.
func there(err error) bool {
	if err == nil {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code < http.StatusInternalServerError && code != http.StatusTooManyRequests
}

// take publishes what a stream brings until it ends. heard says whether it brought anything.
func (f *follower) take(stream client.Stream) (heard bool, err error) {
	var read map[entry]client.Object // what there is, while it is being read
	if f.revision == 0 {
		read = map[entry]client.Object{}
	}
	for {
		m, err := stream.Next()
		if err != nil {
			return heard, err
		}
		heard = true
		switch {
		case read != nil && m.Complete:
			f.publish(func(s *state) []client.Event { return difference(s, f.sel, f.name, read) }, m.Revision)
			read = nil
		case read != nil && m.Object != nil:
			read[entry{namespace: m.Object.GetNamespace(), name: m.Object.GetName()}] = m.Object
		case read != nil: // how far an unfinished reading has come says nothing
		case m.Object == nil:
			f.publish(func(*state) []client.Event { return nil }, m.Revision)
		default:
			f.publish(func(s *state) []client.Event { return eventOf(s, m) }, m.Revision)
		}
	}
}

// publish applies a change and notes how far the selection has come.
func (f *follower) publish(events func(*state) []client.Event, revision int64) {
	f.failures, f.revision = 0, revision
	f.cache.change(f.sel.Table, func(s *state) []client.Event {
		if f.whole {
			s.read, s.progress = true, revision
		}
		return events(s)
	})
}
