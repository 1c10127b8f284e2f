package chain

import (
	"context"
	"net/http"
	"strconv"

	"proa/apiserver/auth"
	"proa/apiserver/fair"
)

// The names of flowcontrol's response headers in the form that net/http writes.
const (
	schemaHeader = "X-Kubernetes-Pf-Flowschema-Uid"
	levelHeader  = "X-Kubernetes-Pf-Prioritylevel-Uid"
)

type initializedKey struct{}

// Initialized ends the turn of a watch: what was there has been sent, and from here on it only waits. Other requests may
// call it in vain.
func Initialized(ctx context.Context) {
	if end, ok := ctx.Value(initializedKey{}).(func()); ok {
		end()
	}
}

// shared lets requests wait for their turn, or refuses them. Streams count nowhere; a watch counts until Initialized.
func (c *Config) shared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := InfoFrom(r.Context())
		watch := info.IsResource && info.Verb == "watch"
		if LongRunning(info) && !watch {
			next.ServeHTTP(w, r)
			return
		}
		user, _ := auth.UserFrom(r.Context())
		q := fair.Request{User: user, Verb: info.Verb, Group: info.Group, Resource: info.Resource, Subresource: info.Subresource,
			Namespace: info.Namespace, Name: info.Name, Path: info.Path, IsResource: info.IsResource, Query: r.URL.RawQuery}
		began := c.Clock.Now()
		ticket, ok := c.Fair.Start(r.Context(), &q)
		info.waited.Add(int64(c.Clock.Since(began)))
		header := w.Header()
		header[schemaHeader], header[levelHeader] = ticket.Headers()
		if !ok {
			info.stopped.Store(true)
			header.Set("Retry-After", strconv.FormatInt(ticket.RetryAfter, 10))
			http.Error(w, "Too many requests, please try again later.", http.StatusTooManyRequests)
			return
		}
		defer c.Fair.Finish(&ticket)
		if watch {
			defer c.Fair.Watch(&q)()
			end := func() { c.Fair.Finish(&ticket) }
			r = r.WithContext(context.WithValue(r.Context(), initializedKey{}, end))
		}
		next.ServeHTTP(w, r)
	})
}
