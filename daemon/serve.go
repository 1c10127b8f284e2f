package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/net/http2"
)

// What one client can take, as upstream bounds it.
const (
	mostStreams     = 1000             // requests at the same time on one HTTP/2 connection
	mostHeaderBytes = 1 << 20          // of a request's headers; more is 431
	headerTime      = 30 * time.Second // until the headers of a request have come
	idleTime        = 3 * time.Minute  // without a request on a connection
	drainTime       = 5 * time.Second  // for requests under way when the server stops
)

// newServer makes the HTTP server of the API.
func newServer(h http.Handler, log *slog.Logger) (*http.Server, error) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: mostHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	h2 := &http2.Server{MaxConcurrentStreams: mostStreams}
	if err := http2.ConfigureServer(server, h2); err != nil {
		return nil, fmt.Errorf("configure HTTP/2: %w", err)
	}
	gatherWrites(server, h2)
	return server, nil
}

// startServing adds the parts that answer requests and write them down. From the moment that ctx ends the server calls itself
// not ready, whatever else is stopped before it.
func (c *control) startServing(ctx context.Context, parts *group) {
	context.AfterFunc(ctx, c.health.stop)
	if c.audit != nil {
		parts.add("audit", c.audit.Run)
	}
	parts.add("api", c.serve)
}

// serve answers API requests until ctx ends. Then:
//
//	/readyz fails, and for ShutdownDelay all goes on, so that who shares out requests can look elsewhere
//	the port is closed, and clients are told to ask no more on their connections (GOAWAY)
//	watches end, requests under way finish, others are refused with 429
//	connections end as they fall idle, those that do not within drainTime are cut off
//
// What is written down of the requests, and the store, are closed after it by those who opened them.
func (c *control) serve(ctx context.Context) error {
	server, err := newServer(c.door, c.cfg.Log)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(c.listen) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	c.health.stop()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the API: %w", err)
	case <-time.After(c.cfg.ShutdownDelay):
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- server.Shutdown(drain) }()
	err = errors.Join(c.api.Drain(drain), <-closed)
	if errors.Is(err, context.DeadlineExceeded) {
		c.cfg.Log.Warn("some requests did not end in time")
		err = nil
	}
	return errors.Join(err, server.Close())
}
