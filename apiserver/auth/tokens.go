package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"
)

// TokensConfig says with which key tokens are signed and for whom.
type TokensConfig struct {
	Key       *ecdsa.PrivateKey  // required: signs new tokens
	Earlier   []crypto.PublicKey // keys whose tokens are still accepted, after a rotation of Key
	Issuer    string             // https://kubernetes.default.svc.cluster.local if empty
	Audiences []string           // what the API server calls itself; the issuer if empty
	KeysURL   string             // where the OIDC document says that the keys are; below the issuer if empty
	Source    Source             // required
	Now       func() time.Time   // time.Now if nil
	NewID     func() string      // makes token ids; random UUIDs if nil
	// Used notes that somebody came with the token of a Secret, once a day; nobody is told if nil.
	Used func(ctx context.Context, secret *corev1.Secret, day string)
}

// Tokens issues and checks service account tokens. It is safe for many goroutines.
type Tokens struct {
	cfg    TokensConfig
	signer jose.Signer
	keys   jose.JSONWebKeySet // public halves, newest first
	seen   *verified[claims]
}

// NewTokens returns the issuer and checker of service account tokens.
func NewTokens(cfg TokensConfig) (*Tokens, error) {
	if cfg.Key == nil || cfg.Source == nil {
		return nil, errors.New("make tokens: Key and Source are required")
	}
	if cfg.Issuer == "" {
		cfg.Issuer = defaultTokenIssuer
	}
	if len(cfg.Audiences) == 0 {
		cfg.Audiences = []string{cfg.Issuer}
	}
	if cfg.KeysURL == "" {
		cfg.KeysURL = strings.TrimSuffix(cfg.Issuer, "/") + keysPath
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = newUUID
	}
	t := &Tokens{cfg: cfg, seen: newVerified[claims](4096)}
	for _, public := range append([]crypto.PublicKey{cfg.Key.Public()}, cfg.Earlier...) {
		key, err := webKey(public)
		if err != nil {
			return nil, err
		}
		t.keys.Keys = append(t.keys.Keys, key)
	}
	signingKey := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{
		Key: cfg.Key, KeyID: t.keys.Keys[0].KeyID, Algorithm: string(jose.ES256)}}
	var err error
	if t.signer, err = jose.NewSigner(signingKey, nil); err != nil {
		return nil, fmt.Errorf("make token signer: %w", err)
	}
	return t, nil
}

// webKey names a public key as upstream does: by the hash of its DER form.
func webKey(public crypto.PublicKey) (jose.JSONWebKey, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("name token key: %w", err)
	}
	algorithm := jose.ES256
	if k, ok := public.(*ecdsa.PublicKey); !ok {
		algorithm = jose.RS256
	} else if k.Curve.Params().BitSize != 256 {
		return jose.JSONWebKey{}, fmt.Errorf("name token key: curve %s is not supported, P-256 is", k.Curve.Params().Name)
	}
	sum := sha256.Sum256(der)
	return jose.JSONWebKey{Key: public, KeyID: base64.RawURLEncoding.EncodeToString(sum[:]), Algorithm: string(algorithm), Use: "sig"}, nil
}

// claims is what a token says. Legacy tokens live in a secret and say it in other words.
type claims struct {
	jwt.Claims
	Kubernetes *boundClaims `json:"kubernetes.io,omitempty"`

	LegacyNamespace  string `json:"kubernetes.io/serviceaccount/namespace,omitempty"`
	LegacySecret     string `json:"kubernetes.io/serviceaccount/secret.name,omitempty"`
	LegacyAccount    string `json:"kubernetes.io/serviceaccount/service-account.name,omitempty"`
	LegacyAccountUID string `json:"kubernetes.io/serviceaccount/service-account.uid,omitempty"`
}

// boundClaims names the account, and the object that the token lives and dies with.
type boundClaims struct {
	Namespace string    `json:"namespace,omitempty"`
	Node      *claimRef `json:"node,omitempty"`
	Pod       *claimRef `json:"pod,omitempty"`
	Secret    *claimRef `json:"secret,omitempty"`
	Account   claimRef  `json:"serviceaccount,omitempty"`
}

type claimRef struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
}

func (t *Tokens) sign(c claims) (string, error) {
	token, err := jwt.Signed(t.signer).Claims(c).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// Authenticate accepts a bearer token that is meant for the API server.
func (t *Tokens) Authenticate(r *http.Request) (User, bool, error) {
	token, ok := bearer(r)
	if !ok {
		return User{}, false, nil
	}
	u, _, ok, err := t.Check(r.Context(), token, t.cfg.Audiences)
	return u, ok, err
}

// Check returns the user of a token and those of the audiences that it was issued for. It is false for what is no token of
// this cluster, and an error for one that is not, or no longer, good.
func (t *Tokens) Check(ctx context.Context, token string, audiences []string) (User, []string, bool, error) {
	c, ok, err := t.parse(token)
	if !ok || err != nil {
		return User{}, nil, false, err
	}
	if err := checkTimes(c, t.cfg.Now()); err != nil {
		return User{}, nil, false, err
	}
	meant := t.audiencesOf(c)
	var matched []string
	for _, a := range audiences {
		if slices.Contains(meant, a) {
			matched = append(matched, a)
		}
	}
	if len(matched) == 0 {
		return User{}, nil, false, fmt.Errorf("token audiences %q is invalid for the target audiences %q", meant, audiences)
	}
	u, err := t.live(ctx, c, token)
	if err != nil {
		return User{}, nil, false, err
	}
	return u, matched, true, nil
}

// parse checks the signature once for each token; claims of a token that was seen before come from memory. Whether what
// they name still exists is looked at every time.
func (t *Tokens) parse(token string) (*claims, bool, error) {
	if strings.Count(token, ".") != 2 {
		return nil, false, nil
	}
	sum := sha256.Sum256([]byte(token))
	if c, ok := t.seen.get(sum); ok {
		return c, true, nil
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil, false, nil // somebody else's token
	}
	var unsafe claims
	if err := parsed.UnsafeClaimsWithoutVerification(&unsafe); err != nil {
		return nil, false, nil
	}
	if unsafe.Issuer != t.cfg.Issuer && unsafe.Issuer != legacySecretIssuer {
		return nil, false, nil
	}
	for _, key := range t.keys.Keys {
		if id := parsed.Headers[0].KeyID; id != "" && id != key.KeyID {
			continue
		}
		c := new(claims)
		if parsed.Claims(key.Key, c) == nil {
			t.seen.put(sum, c)
			return c, true, nil
		}
	}
	return nil, false, errors.New("invalid bearer token")
}

// checkTimes allows the leeway of a minute, as upstream does.
func checkTimes(c *claims, now time.Time) error {
	switch err := c.ValidateWithLeeway(jwt.Expected{Time: now}, jwt.DefaultLeeway); {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return errors.New("service account token has expired")
	case errors.Is(err, jwt.ErrNotValidYet):
		return errors.New("service account token is not valid yet")
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return errors.New("service account token is issued in the future")
	default:
		return fmt.Errorf("service account token claims could not be validated: %w", err)
	}
}

// audiencesOf returns whom a token is for: one that does not say is for the API server.
func (t *Tokens) audiencesOf(c *claims) []string {
	if len(c.Audience) == 0 {
		return t.cfg.Audiences
	}
	return c.Audience
}

// BearerToken takes the token out of the Authorization header.
func BearerToken(r *http.Request) (string, bool) { return bearer(r) }

// bearer takes the token out of the Authorization header.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	token = strings.TrimSpace(token)
	return token, token != ""
}
