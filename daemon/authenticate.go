package daemon

import (
	"context"
	"time"

	"proa/apiserver/auth"
	"proa/apiserver/auth/oidc"
	"proa/apiserver/auth/webhook"
	"proa/ops/pki"
)

// OIDC names one issuer of tokens, as flags do.
type OIDC = oidc.Flags

// Identity says who is asked who somebody is, and whether they may, beyond the cluster itself. Everything is optional; without it nothing
// of it runs.
type Identity struct {
	AuthenticationConfig string // a file that says which issuers of tokens are trusted (an AuthenticationConfiguration)
	OIDC                 *OIDC  // one issuer, without such a file
	TokenFile            string // a file of bearer tokens and whose they are
	TokenWebhook         string // a kubeconfig of a server that knows tokens
	TokenWebhookVersion  string // of the reviews that it is sent: v1 or v1beta1
	TokenWebhookTTL      time.Duration
	AuthorizationConfig  string // a file that says who decides about requests, in which order (an AuthorizationConfiguration)
}

// goodFor is how long a token of an issuer that was checked is taken as it is, as upstream's.
const goodFor = 10 * time.Second

// authenticators puts together who finds out who asks, and which of them know tokens that are not the cluster's own.
func (c *control) authenticators(joins auth.Authenticator) (all auth.Authenticator, tokens []auth.Authenticator, err error) {
	id := &c.cfg.Identity
	tokens = []auth.Authenticator{joins, auth.NewBootstrapTokens(c.store, time.Now)}
	if id.TokenFile != "" {
		users, err := auth.ReadTokens(id.TokenFile)
		if err != nil {
			return nil, nil, err
		}
		tokens = append(tokens, auth.NewStaticTokens(users))
	}
	if id.AuthenticationConfig != "" || id.OIDC != nil {
		c.issuers, err = oidc.New(oidc.Options{File: id.AuthenticationConfig, Flags: id.OIDC, Own: []string{c.issuer()}, Log: c.cfg.Log, Now: time.Now})
		if err != nil {
			return nil, nil, err
		}
		tokens = append(tokens, auth.Remember(c.issuers, goodFor, 0, time.Now))
	}
	if id.TokenWebhook != "" {
		w, err := webhook.NewTokens(id.TokenWebhook, id.TokenWebhookVersion)
		if err != nil {
			return nil, nil, err
		}
		tokens = append(tokens, auth.Remember(w, id.TokenWebhookTTL, id.TokenWebhookTTL, time.Now))
	}
	if id.AuthorizationConfig != "" {
		if c.order, err = webhook.NewOrder(id.AuthorizationConfig, c.access, c.cfg.Log, time.Now); err != nil {
			return nil, nil, err
		}
	}
	c.certificates = auth.NewCertificates(c.keys.CAPool(), time.Now)
	list := []auth.Authenticator{
		auth.NewRequestHeaders(c.keys.FrontProxyPool(), []string{pki.FrontProxyUser}, time.Now),
		c.certificates,
		c.tokens,
	}
	list = append(list, tokens...)
	if c.issuers == nil {
		return auth.WebSocketTokens(auth.First(list...)), tokens, nil
	}
	return auth.WebSocketTokens(auth.FirstWith(c.issuers.Anonymous, list...)), tokens, nil
}

// followInterval is how often files that say who may do what are looked at, as upstream's.
const followInterval = time.Minute

func following(run func(context.Context, <-chan time.Time) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ticker := time.NewTicker(followInterval)
		defer ticker.Stop()
		return run(ctx, ticker.C)
	}
}
