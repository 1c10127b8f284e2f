package chain

import (
	"errors"
	"net/http"
	"time"

	"k8s.io/utils/clock"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/apiserver/fair"
)

// Config says what the filters need.
type Config struct {
	Authenticator auth.Authenticator // required
	Authorizer    auth.Authorizer    // required
	Clock         clock.WithTicker   // required
	Fair          *fair.Dispatcher   // required: says whose turn it is

	Timeout time.Duration  // optional: of requests that do not run long; 0 means a minute
	Audit   *audit.Auditor // optional: writes down who asked what
	Counts  *Counts        // optional: counts requests
	Drain   *Drain         // optional: refuses requests while the server stops

	Serves func(*Info) bool // optional: whether there is such a resource, and subresource; those that are not there are counted as one
}

// Filter is one row of the list: it does something, and lets next do the rest.
type Filter struct {
	Name string
	Wrap func(next http.Handler) http.Handler
}

// Filters lists what a request passes, outermost first.
func Filters(c Config) ([]Filter, error) {
	if c.Authenticator == nil || c.Authorizer == nil || c.Clock == nil || c.Fair == nil {
		return nil, errors.New("make the chain: Authenticator, Authorizer, Clock and Fair are required")
	}
	return []Filter{
		{"stack", roomy},
		{"panic", recovered},
		{"info", parsed},
		{"count", c.counted},
		{"drain", c.drained},
		{"name", named},
		{"timeout", c.timed},
		{"authenticate", c.authenticated},
		{"audit", c.audited},
		{"impersonate", c.impersonated},
		{"fair", c.shared},
		{"authorize", c.authorized},
	}, nil
}

// Wrap puts filters around a handler, the first outermost.
func Wrap(h http.Handler, filters []Filter) http.Handler {
	for i := len(filters) - 1; i >= 0; i-- {
		h = filters[i].Wrap(h)
	}
	return h
}
