// Package oidc lets in who shows a token of an issuer that the cluster's AuthenticationConfiguration trusts (OpenID Connect).
//
// It decides whose token it is, whether it is good, and which user its claims name; it owns the keys of the issuers that it has
// fetched, and what the configuration's expressions compiled to. The authenticator of the API server asks it for tokens that are
// not the cluster's own. When an issuer cannot be reached, tokens of keys that are known stay good; others are refused, and
// the issuer is asked again from time to time. Without a configuration nothing of it exists.
package oidc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	api "k8s.io/apiserver/pkg/apis/apiserver"

	"proa/apiserver/auth"
)

// Options say what is trusted.
type Options struct {
	File  string   // an AuthenticationConfiguration; read again when it changes. One of File and Flags is required
	Flags *Flags   // one issuer, as the flags --oidc-* name it
	Own   []string // issuers of the cluster itself, which nobody else may be
	Log   *slog.Logger
	Now   func() time.Time // optional: time.Now
}

// Authenticator checks tokens of issuers.
type Authenticator struct {
	options Options
	read    []byte // the file as it was when current was made; only reload touches it
	current atomic.Pointer[trust]
}

// trust is what one configuration says.
type trust struct {
	issuers   []*issuer
	anonymous *api.AnonymousAuthConfig
}

// New reads the configuration. It asks no issuer for anything yet.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Authenticator{options: o}
	if o.Flags != nil {
		t, err := a.trust(o.Flags.configuration())
		if err != nil {
			return nil, fmt.Errorf("flags --oidc-*: %w", err)
		}
		for _, i := range t.issuers {
			i.algorithms = o.Flags.Algorithms
		}
		a.current.Store(t)
		return a, nil
	}
	return a, a.reload()
}

func (a *Authenticator) trust(c *api.AuthenticationConfiguration) (*trust, error) {
	if err := validate(c, a.options.Own); err != nil {
		return nil, err
	}
	t := &trust{anonymous: c.Anonymous}
	for _, jwt := range c.JWT {
		i, err := newIssuer(jwt, a.options.Own, a.options.Now)
		if err != nil {
			return nil, err
		}
		t.issuers = append(t.issuers, i)
	}
	return t, nil
}

// reload takes up the file if it has changed.
func (a *Authenticator) reload() error {
	data, err := os.ReadFile(a.options.File)
	if err != nil {
		return fmt.Errorf("read authentication configuration: %w", err)
	}
	if a.current.Load() != nil && bytes.Equal(data, a.read) {
		return nil
	}
	c, err := decode(data)
	if err == nil {
		var t *trust
		if t, err = a.trust(c); err == nil {
			a.read = data
			a.current.Store(t)
			return nil
		}
	}
	return fmt.Errorf("authentication configuration %s: %w", a.options.File, err)
}

// Run looks at the file whenever tick says so, until ctx ends. A file that is wrong changes nothing, and is logged.
func (a *Authenticator) Run(ctx context.Context, tick <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		if a.options.File == "" {
			continue
		}
		if err := a.reload(); err != nil {
			a.options.Log.Error("the former authentication configuration stays in force", "error", err)
		}
	}
}

// Authenticate checks a bearer token that names one of the issuers. All others are none of its business.
func (a *Authenticator) Authenticate(r *http.Request) (auth.User, bool, error) {
	token, ok := auth.BearerToken(r)
	if !ok {
		return auth.User{}, false, nil
	}
	issuer := untrustedIssuer(token)
	if issuer == "" {
		return auth.User{}, false, nil
	}
	var wrong []error
	for _, i := range a.current.Load().issuers {
		if i.config.Issuer.URL != issuer {
			continue
		}
		u, err := i.authenticate(r.Context(), token)
		if err == nil {
			return u, true, nil
		}
		wrong = append(wrong, err)
	}
	return auth.User{}, false, errors.Join(wrong...)
}

// Anonymous says whether a request without credentials is let in, as nobody.
func (a *Authenticator) Anonymous(r *http.Request) bool {
	c := a.current.Load().anonymous
	if c == nil {
		return true
	}
	if !c.Enabled || len(c.Conditions) == 0 {
		return c.Enabled
	}
	for _, condition := range c.Conditions {
		if condition.Path == r.URL.Path {
			return true
		}
	}
	return false
}
