package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"proa/apiserver/auth"
	"proa/apiserver/auth/oidc"
	"proa/internal/growth"
)

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// issuer is a real one: it serves its discovery document and its keys over TLS.
type issuer struct {
	t       testing.TB
	server  *httptest.Server
	says    string // who it says that it is; empty: its URL
	keyID   string
	key     *ecdsa.PrivateKey
	asked   atomic.Int32 // for the discovery document
	stopped atomic.Bool
	// discovery and keys answer instead of the issuer, if they are set.
	discovery, keys http.HandlerFunc
}

func newIssuer(t testing.TB) *issuer {
	i := &issuer{t: t}
	i.rotate("k1")
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) rotate(id string) {
	i.t.Helper()
	var err error
	i.keyID = id
	if i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		i.t.Fatal(err)
	}
}

func (i *issuer) url() string {
	if i.says != "" {
		return i.says
	}
	return i.server.URL
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case i.stopped.Load():
		http.Error(w, "stopped", http.StatusServiceUnavailable)
	case i.discovery != nil && strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		i.discovery(w, r)
	case i.keys != nil && r.URL.Path == "/keys":
		i.keys(w, r)
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		i.asked.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.url(), "jwks_uri": i.server.URL + "/keys"})
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.keyID, Algorithm: "ES256", Use: "sig"}}})
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}))
}

// token signs claims over what every good token says.
func (i *issuer) token(claims map[string]any) string {
	i.t.Helper()
	all := map[string]any{"iss": i.url(), "aud": "proa", "sub": "ann", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix()}
	for name, value := range claims {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.keyID}}, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

// configuration trusts one issuer with more of its configuration in YAML, indented for an entry of jwt.
func (i *issuer) configuration(more string) string {
	return fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: %s
    audiences: [proa, other]
    audienceMatchPolicy: MatchAny
    certificateAuthority: %q
%s`, i.server.URL, i.ca(), more)
}

func open(t testing.TB, config string) (*oidc.Authenticator, string) {
	t.Helper()
	return openWith(t, config, func() time.Time { return now })
}

func openWith(t testing.TB, config string, clock func() time.Time) (*oidc.Authenticator, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := oidc.New(oidc.Options{File: file, Own: []string{"https://own.example"}, Log: slog.New(slog.DiscardHandler), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return a, file
}

// ask shows who a token stands for, or why nobody.
func ask(a auth.Authenticator, token string) string {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	u, ok, err := a.Authenticate(r)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case !ok:
		return "unknown"
	}
	return fmt.Sprintf("%s uid=%s %v %v", u.Name, u.UID, u.Groups, u.Extra)
}

const plain = `  claimMappings:
    username: {claim: sub, prefix: "oidc:"}
    groups: {claim: groups, prefix: "g:"}
    uid: {claim: id}
  claimValidationRules:
  - {claim: tenant, requiredValue: ours}
`

func TestClaims(t *testing.T) {
	i := newIssuer(t)
	a, _ := open(t, i.configuration(plain))
	good := map[string]any{"groups": []string{"x", "y"}, "id": "7", "tenant": "ours", "jti": "1"}
	with := func(name string, value any) map[string]any {
		all := map[string]any{name: value}
		for k, v := range good {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	for _, c := range []struct {
		claims map[string]any
		want   string // a part of it
	}{
		{good, "oidc:ann uid=7 [g:x g:y] map[authentication.kubernetes.io/credential-id:[JTI=1]]"},
		{with("groups", "x"), "oidc:ann uid=7 [g:x]"},
		{with("aud", []string{"elsewhere", "other"}), "oidc:ann"},
		{with("aud", "elsewhere"), "expected audience in"},
		{with("exp", now.Add(-time.Minute).Unix()), "token is expired"},
		{with("nbf", now.Add(time.Hour).Unix()), "before the nbf"},
		{with("sub", nil), "parse username claims"},
		{with("groups", 3), "parse groups claim"},
		{with("id", nil), "parse uid claim"},
		{with("tenant", nil), "required claim tenant not present in ID token"},
		{with("tenant", "theirs"), "required claim tenant value does not match"},
		{with("iss", "https://elsewhere.example"), "unknown"},
	} {
		if got := ask(a, i.token(c.claims)); !strings.Contains(got, c.want) {
			t.Errorf("%v: %s, want %s", c.claims, got, c.want)
		}
	}
	token := i.token(good)
	for what, bad := range map[string]string{"cut": token[:len(token)-4], "forged": token[:len(token)-8] + "AAAAAAAA", "no JWT": "abc", "a half": "a.b"} {
		if got := ask(a, bad); !strings.HasPrefix(got, "error") && got != "unknown" {
			t.Errorf("%s: %s", what, got)
		}
	}
	none := strings.Split(token, ".")
	none[0], none[2] = "eyJhbGciOiJub25lIn0", ""
	if got := ask(a, strings.Join(none, ".")); !strings.HasPrefix(got, "error") {
		t.Errorf("unsigned: %s", got)
	}
}

func TestExpressions(t *testing.T) {
	i := newIssuer(t)
	a, _ := open(t, i.configuration(`  claimMappings:
    username: {expression: "claims.email_verified ? claims.email : ''"}
    groups: {expression: "claims.roles.split(',')"}
    uid: {expression: "claims.sub"}
    extra: [{key: example.com/tenant, valueExpression: "claims.tenant"}, {key: example.com/nothing, valueExpression: "claims.?missing.orValue('')"}]
  claimValidationRules:
  - {expression: "claims.exp - claims.iat <= 7200", message: tokens live two hours at most}
  userValidationRules:
  - {expression: "!user.username.startsWith('system:')", message: names of the system are its own}
  - {expression: "user.groups.all(g, g != 'system:masters')", message: nobody is a master}
`))
	good := func(more map[string]any) map[string]any {
		all := map[string]any{"email": "ann@example.com", "email_verified": true, "roles": "dev,ops", "tenant": []string{"a", "b"}}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	for _, c := range []struct {
		claims map[string]any
		want   string
	}{
		{good(nil), "ann@example.com uid=ann [dev ops] map[example.com/tenant:[a b]]"},
		{good(map[string]any{"email_verified": false}), "empty username via CEL expression is not allowed"},
		{good(map[string]any{"email": "system:admin"}), "names of the system are its own"},
		{good(map[string]any{"roles": "dev,system:masters"}), "nobody is a master"},
		{good(map[string]any{"exp": now.Add(3 * time.Hour).Unix()}), "tokens live two hours at most"},
		{good(map[string]any{"roles": nil}), "error evaluating group claim expression"},
		{good(map[string]any{"tenant": 3}), "expression must return a string or a list of strings"},
	} {
		if got := ask(a, i.token(c.claims)); !strings.Contains(got, c.want) {
			t.Errorf("%v: %s, want %s", c.claims, got, c.want)
		}
	}
}

// An issuer that is down refuses its tokens, and is found again; new keys of it are found by the tokens they sign.
func TestIssuerComesAndGoes(t *testing.T) {
	i, clock := newIssuer(t), now
	a, _ := openWith(t, i.configuration(plain), func() time.Time { return clock })
	claims := map[string]any{"id": "7", "tenant": "ours"}
	i.stopped.Store(true)
	for range 2 {
		if got := ask(a, i.token(claims)); !strings.Contains(got, "not initialized") {
			t.Error(got)
		}
	}
	i.stopped.Store(false)
	if got := ask(a, i.token(claims)); !strings.Contains(got, "not initialized") || i.asked.Load() != 0 {
		t.Errorf("asked again at once: %s", got)
	}
	clock = clock.Add(11 * time.Second)
	if got := ask(a, i.token(claims)); !strings.HasPrefix(got, "oidc:ann") {
		t.Error(got)
	}
	old := i.token(claims)
	i.rotate("k2")
	clock = clock.Add(6 * time.Second)
	if got := ask(a, i.token(claims)); !strings.HasPrefix(got, "oidc:ann") {
		t.Errorf("signed with a new key: %s", got)
	}
	if got := ask(a, old); !strings.HasPrefix(got, "error") {
		t.Errorf("signed with a key that the issuer took back: %s", got)
	}
}

// An issuer may be found at another URL than its name, but must have that name.
func TestDiscoveryURL(t *testing.T) {
	i := newIssuer(t)
	i.says = "https://issuer.example"
	config := strings.Replace(i.configuration(plain), "    url: "+i.server.URL, "    url: https://issuer.example\n    discoveryURL: "+i.server.URL+"/.well-known/openid-configuration", 1)
	a, _ := open(t, config)
	if got := ask(a, i.token(map[string]any{"id": "7", "tenant": "ours"})); !strings.HasPrefix(got, "oidc:ann") {
		t.Error(got)
	}
	a, _ = open(t, config)
	token := i.token(nil)
	i.says = "https://other.example"
	if got := ask(a, token); !strings.Contains(got, "issuer did not match") {
		t.Error(got)
	}
}

func TestReloadAndAnonymous(t *testing.T) {
	i := newIssuer(t)
	a, file := open(t, i.configuration(plain)+"anonymous: {enabled: true, conditions: [{path: /livez}]}\n")
	anonymous := func(path string) bool { return a.Anonymous(httptest.NewRequest("GET", path, nil)) }
	if !anonymous("/livez") || anonymous("/livez/ping") || anonymous("/api") {
		t.Error("anonymous requests are let in elsewhere than said")
	}
	tick, done := make(chan time.Time), make(chan error)
	go func() { done <- a.Run(t.Context(), tick) }()
	change := func(config string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		tick <- now
		tick <- now // the first is done with when the second is taken
	}
	token := i.token(map[string]any{"id": "7", "tenant": "ours"})
	change("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: false}\nmisspelled: x\n")
	if got := ask(a, token); !strings.HasPrefix(got, "oidc:ann") || !anonymous("/livez") {
		t.Errorf("a wrong file changed something: %s", got)
	}
	change("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: false}\n")
	if got := ask(a, token); got != "unknown" || anonymous("/livez") {
		t.Errorf("the issuer is still trusted: %s", got)
	}
	all := auth.FirstWith(a.Anonymous, a)
	if _, ok, err := all.Authenticate(httptest.NewRequest("GET", "/livez", nil)); ok || err == nil {
		t.Error("an anonymous request was let in")
	}
}

func TestFlags(t *testing.T) {
	i := newIssuer(t)
	ca := filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(ca, []byte(i.ca()), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, flags := range map[string]*oidc.Flags{
		i.server.URL + "#ann uid= []": {IssuerURL: i.server.URL, ClientID: "proa", CAFile: ca, Algorithms: []string{"ES256"}},
		"ann uid= [team:a]":           {IssuerURL: i.server.URL, ClientID: "proa", CAFile: ca, Algorithms: []string{"ES256"}, UsernamePrefix: "-", GroupsClaim: "groups", GroupsPrefix: "team:"},
		"ann@x uid= []":               {IssuerURL: i.server.URL, ClientID: "proa", CAFile: ca, Algorithms: []string{"ES256"}, UsernameClaim: "email"},
		"error: oidc: verify token":   {IssuerURL: i.server.URL, ClientID: "proa", CAFile: ca}, // RS256 alone
	} {
		if err := flags.Complete(); err != nil {
			t.Fatal(err)
		}
		a, err := oidc.New(oidc.Options{Flags: flags, Log: slog.Default(), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(a, i.token(map[string]any{"groups": "a", "email": "ann@x"})); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if err := (&oidc.Flags{IssuerURL: "https://a"}).Complete(); err == nil {
		t.Error("an issuer without a client")
	}
}

func TestWrongConfigurations(t *testing.T) {
	for _, url := range []string{`"::"`, "https://own.example", "http://a.example"} {
		file := filepath.Join(t.TempDir(), "config")
		config := "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: [{issuer: {audiences: [a], url: " + url + "}, claimMappings: {username: {claim: sub, prefix: ''}}}]\n"
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := oidc.New(oidc.Options{File: file, Own: []string{"https://own.example"}})
		if err == nil || !strings.Contains(err.Error(), "issuer.url") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// FuzzToken: nobody is known by what the issuer did not sign, and by what it signed nobody but whom its rules name.
func FuzzToken(f *testing.F) {
	i := newIssuer(f)
	a, _ := open(f, i.configuration(plain))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.keyID}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, claims := range []string{
		`{"iss":"ISSUER","aud":"proa","sub":"ann","exp":4102444800,"tenant":"ours","groups":["x"],"id":"7"}`,
		`{"iss":"ISSUER","aud":["proa"],"sub":"ann","exp":1e400,"tenant":"ours","_claim_names":{"groups":"g"},"_claim_sources":{"g":{"endpoint":"http://127.0.0.1/"}}}`,
		`{"iss":"https://a.example"}`, `null`, `[]`, `a.b.c`, ``,
	} {
		for _, h := range []string{`{"alg":"none"}`, `{"alg":"HS256","kid":"k1"}`, `{"alg":"ES256","kid":"k1"}`} {
			f.Add(h, claims)
		}
	}
	text := base64.RawURLEncoding.EncodeToString
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, header, claims string) {
		grown.Tried(t)
		claims = strings.ReplaceAll(claims, "ISSUER", i.url())
		for _, token := range []string{claims, text([]byte(header)) + "." + text([]byte(claims)) + ".", text([]byte(header)) + "." + text([]byte(claims)) + "." + text(make([]byte, 64))} {
			if got := ask(a, token); got != "unknown" && !strings.HasPrefix(got, "error: ") {
				t.Errorf("%q is %s", token, got)
			}
		}
		signed, err := signer.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(a, token); got != "unknown" && !strings.HasPrefix(got, "error: ") && !strings.HasPrefix(got, "oidc:") {
			t.Errorf("%q, signed, is %s", claims, got)
		}
	})
}
