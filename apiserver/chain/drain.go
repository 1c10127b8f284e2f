package chain

import (
	"context"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Drain counts the requests under way, so that a server can stop without cutting one off.
type Drain struct {
	stopping context.Context
	stop     context.CancelFunc
	mu       struct {
		sync.Mutex
		stopped bool
		count   int
		idle    chan struct{} // closed when stopped and count is 0
	}
}

// NewDrain makes a Drain that lets everything in.
func NewDrain() *Drain {
	d := &Drain{}
	d.stopping, d.stop = context.WithCancel(context.Background())
	d.mu.idle = make(chan struct{})
	return d
}

// Stopping ends when no new requests are taken any more, and long ones are to end.
func (d *Drain) Stopping() context.Context { return d.stopping }

// Stop refuses new requests and waits for those under way, or for ctx.
func (d *Drain) Stop(ctx context.Context) error {
	d.mu.Lock()
	if !d.mu.stopped {
		d.mu.stopped = true
		d.stop()
		if d.mu.count == 0 {
			close(d.mu.idle)
		}
	}
	d.mu.Unlock()
	select {
	case <-d.mu.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.stopped {
		return false
	}
	d.mu.count++
	return true
}

func (d *Drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.count--
	if d.mu.stopped && d.mu.count == 0 {
		close(d.mu.idle)
	}
}

// drained refuses requests while the server stops. Health is still told.
func (c *Config) drained(next http.Handler) http.Handler {
	if c.Drain == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.Drain.enter() {
			if !InfoFrom(r.Context()).IsResource {
				next.ServeHTTP(w, r)
				return
			}
			InfoFrom(r.Context()).stopped.Store(true)
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close")
			Refuse(w, r, apierrors.NewTooManyRequests("The apiserver is shutting down, please try again later.", 1))
			return
		}
		defer c.Drain.leave()
		next.ServeHTTP(w, r)
	})
}
