package chain

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	defaultTimeout = time.Minute
	// graceToAnswer is how long after its time a request may still be written its answer.
	graceToAnswer = 10 * time.Second
)

// timed ends the context of requests that take too long, and what they still read; the verbs then answer 504. A client may
// ask for less time with the parameter "timeout".
func (c *Config) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if LongRunning(InfoFrom(r.Context())) {
			next.ServeHTTP(w, r)
			return
		}
		limit, err := c.limit(r)
		if err != nil {
			Refuse(w, r, apierrors.NewBadRequest(err.Error()))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		if ctx.Err() != nil {
			Refuse(w, r, TimedOut())
			return
		}
		conn := &slowConn{w: w, grace: graceToAnswer}
		late := time.AfterFunc(limit, conn.cut) // costs less than context.AfterFunc; a client that is gone needs no cut
		defer conn.release()
		defer late.Stop()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// TimedOut is the answer to a request whose time is over.
func TimedOut() error {
	return apierrors.NewTimeoutError("request did not complete within the allotted timeout", 0)
}

// limit is the time that a request has: the server's, or less if the client says so.
func (c *Config) limit(r *http.Request) (time.Duration, error) {
	most := c.Timeout
	if most == 0 {
		most = defaultTimeout
	}
	if !strings.Contains(r.URL.RawQuery, "timeout=") {
		return most, nil
	}
	text := r.URL.Query().Get("timeout")
	if text == "" {
		return most, nil
	}
	asked, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("invalid timeout specified in the request URL - %w", err)
	}
	if asked <= 0 || asked > most {
		return most, nil
	}
	return asked, nil
}

// slowConn ends waiting for a client that sends or takes its bytes too slowly: neither heeds a context. Its times are the
// kernel's, not a Clock's.
type slowConn struct {
	w     http.ResponseWriter
	grace time.Duration // for the answer
	mu    struct {
		sync.Mutex
		released bool // nothing may be said to w any more
	}
}

func (c *slowConn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.released {
		return
	}
	now := time.Now()
	control := http.NewResponseController(c.w)
	// An answer that is written to memory has no deadlines, and needs none.
	_ = control.SetReadDeadline(now)
	_ = control.SetWriteDeadline(now.Add(c.grace))
}

func (c *slowConn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.released = true
}
