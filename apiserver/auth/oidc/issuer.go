package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"
	api "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"

	"proa/apiserver/auth"
)

// retryAfter is how long an issuer that did not answer is left alone.
const retryAfter = 10 * time.Second

// issuer is one that is trusted.
type issuer struct {
	config     api.JWTAuthenticator
	mapper     authenticationcel.CELMapper
	client     *http.Client
	algorithms []string // empty: all that are asymmetric
	now        func() time.Time

	asking singleflight.Group // where the keys are

	mu struct {
		sync.Mutex
		verifier *oidc.IDTokenVerifier // nil until the issuer was asked where its keys are
		failed   error
		retry    time.Time
	}
}

func newIssuer(config api.JWTAuthenticator, own []string, now func() time.Time) (*issuer, error) {
	mapper, errs := validation.CompileAndValidateJWTAuthenticator(authenticationcel.NewDefaultCompiler(), config, own)
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConns: 2, IdleConnTimeout: time.Minute,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if ca := config.Issuer.CertificateAuthority; ca != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("certificateAuthority of the issuer holds no certificate")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &issuer{config: config, mapper: mapper, client: fetcher(transport), now: now}, nil
}

var asymmetric = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512}

// verify is the check of signatures, dates and issuer. The keys are fetched when the first token comes, and when one is signed
// with a key that is not known, unless they are fresh. Requests that come while the issuer is asked for the first time wait for
// its answer, each no longer than its client does.
func (i *issuer) verify(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	if verifier, err := i.known(); verifier != nil || err != nil {
		return verifier, err
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("oidc: authenticator not initialized: %w", context.Cause(ctx))
	case answer := <-i.asking.DoChan("", func() (any, error) { return i.learn() }):
		if answer.Err != nil {
			return nil, answer.Err
		}
		return answer.Val.(*oidc.IDTokenVerifier), nil
	}
}

// known is what the issuer said last: nothing at all, or too long ago, if both are nil.
func (i *issuer) known() (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.mu.verifier == nil && i.mu.failed != nil && i.now().Before(i.mu.retry) {
		return nil, i.mu.failed
	}
	return i.mu.verifier, nil
}

// learn asks the issuer where its keys are, unless another call has just done so.
func (i *issuer) learn() (*oidc.IDTokenVerifier, error) {
	if verifier, err := i.known(); verifier != nil || err != nil {
		return verifier, err
	}
	keys, err := i.discover()
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		i.mu.failed, i.mu.retry = fmt.Errorf("oidc: authenticator not initialized: %w", err), i.now().Add(retryAfter)
		return nil, i.mu.failed
	}
	algorithms := i.algorithms
	if len(algorithms) == 0 {
		algorithms = asymmetric
	}
	// The key set outlives the request that made it.
	client := &http.Client{Transport: &fresh{client: i.client, now: i.now}}
	set := oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), keys)
	i.mu.verifier = oidc.NewVerifier(i.config.Issuer.URL, set, &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algorithms, Now: i.now})
	return i.mu.verifier, nil
}

// discover asks the issuer where its keys are. What it says of itself must be the issuer that is configured, whichever URL
// it was found at.
func (i *issuer) discover() (keysURL string, err error) {
	at := i.config.Issuer.DiscoveryURL
	if at == "" {
		at = strings.TrimSuffix(i.config.Issuer.URL, "/") + "/.well-known/openid-configuration"
	}
	resp, err := i.client.Get(at)
	if err != nil {
		return "", fmt.Errorf("ask for the keys: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("ask %s for the keys: %w", at, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask %s for the keys: %s", at, resp.Status)
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return "", fmt.Errorf("ask %s for the keys: %w", at, err)
	}
	if document.Issuer != i.config.Issuer.URL {
		return "", fmt.Errorf("issuer did not match the issuer returned by provider, expected %q got %q", i.config.Issuer.URL, document.Issuer)
	}
	if !strings.HasPrefix(document.Keys, "https://") {
		return "", fmt.Errorf("the keys of %s are at %q: expected an https URL", document.Issuer, document.Keys)
	}
	return document.Keys, nil
}

func (i *issuer) authenticate(ctx context.Context, token string) (auth.User, error) {
	verifier, err := i.verify(ctx)
	if err != nil {
		return auth.User{}, err
	}
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		return auth.User{}, fmt.Errorf("oidc: verify token: %w", err)
	}
	if !slices.ContainsFunc(verified.Audience, func(a string) bool { return slices.Contains(i.config.Issuer.Audiences, a) }) {
		return auth.User{}, fmt.Errorf("oidc: expected audience in %q got %q", i.config.Issuer.Audiences, verified.Audience)
	}
	var c claims
	if err := verified.Claims(&c); err != nil {
		return auth.User{}, fmt.Errorf("oidc: parse claims: %w", err)
	}
	return i.user(ctx, c)
}

// untrustedIssuer is who a token says that it is of; empty if it is no JWT. Nothing of it has been checked.
func untrustedIssuer(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var said struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &said) != nil {
		return ""
	}
	return said.Issuer
}
