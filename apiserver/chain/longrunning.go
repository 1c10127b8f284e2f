package chain

import (
	"context"
	"net/http"
	"time"
)

// longDoors are the subresources that last as long as the client wants.
var longDoors = map[string]bool{"attach": true, "exec": true, "proxy": true, "log": true, "portforward": true}

// LongRunning says whether a request may last: streams and watches have no time limit and count in no limit.
func LongRunning(info *Info) bool {
	return info.IsResource && (info.Verb == "watch" || info.Verb == "proxy" || longDoors[info.Subresource])
}

const defaultTimeout = time.Minute

// timed ends the context of requests that take too long; the verbs then answer 504.
func (c *Config) timed(next http.Handler) http.Handler {
	limit := c.Timeout
	if limit == 0 {
		limit = defaultTimeout
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := InfoFrom(r.Context())
		if LongRunning(info) || !info.IsResource {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
