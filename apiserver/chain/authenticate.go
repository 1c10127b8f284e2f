package chain

import (
	"log/slog"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/auth"
)

// authenticated finds the user, or makes the request anonymous. Who shows a bad credential is not anonymous: 401.
func (c *Config) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok, err := c.Authenticator.Authenticate(r)
		if err != nil {
			if c.Counts != nil {
				c.Counts.decided.unknown.Add(1)
			}
			slog.Debug("authentication failed", "path", r.URL.Path, "error", err)
			if c.Audit != nil {
				c.begin(w, r, auth.User{}).Started(http.StatusUnauthorized)
			}
			Refuse(w, r, apierrors.NewUnauthorized("Unauthorized"))
			return
		}
		if !ok {
			user = auth.User{Name: auth.Anonymous, Groups: []string{auth.GroupAnonymous}}
		}
		if c.Counts != nil {
			c.Counts.decided.authenticated(user.Name)
		}
		if user.Shown != nil && user.Shown.Made {
			Warner(w)("Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.")
		}
		r = r.WithContext(auth.WithUser(r.Context(), user))
		r.Header = auth.StripCredentials(r.Header) // nobody behind this filter needs the secret
		next.ServeHTTP(w, r)
	})
}
