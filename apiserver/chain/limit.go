package chain

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/auth"
)

const (
	defaultReading = 400
	defaultWriting = 200
)

// limited refuses requests beyond the number that may be in flight, apart for those that read and those that write.
// Long running requests do not count, nor do those of system:masters, so that who repairs an overload gets in.
func (c *Config) limited() func(http.Handler) http.Handler {
	reading, writing := make(chan struct{}, or(c.MaxReading, defaultReading)), make(chan struct{}, or(c.MaxWriting, defaultWriting))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			info := InfoFrom(r.Context())
			if LongRunning(info) {
				next.ServeHTTP(w, r)
				return
			}
			slots := writing
			if info.Verb == "get" || info.Verb == "list" {
				slots = reading
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			default:
				if user, _ := auth.UserFrom(r.Context()); !user.InGroup(auth.GroupMasters) {
					w.Header().Set("Retry-After", "1")
					Refuse(w, r, apierrors.NewTooManyRequests("Too many requests, please try again later.", 1))
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

func or(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
