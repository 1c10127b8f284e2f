package oidc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// rsaIssuer is one whose key is of RSA.
func rsaIssuer(t *testing.T) (*issuer, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	i.keys = func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "k1"}, {Key: key.Public(), KeyID: "rsa"}}})
	}
	return i, key
}

// sign makes a token with any key and header.
func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, embed bool, claims string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{EmbedJWK: embed, ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Tokens that the issuer did not sign, or signed for another time or place, are refused, whatever they say of themselves.
func TestHostileTokens(t *testing.T) {
	i, key := rsaIssuer(t)
	a, _ := open(t, i.configuration(plain))
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	shown := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claims := func(more string) string {
		return fmt.Sprintf(`{"iss":%q,"aud":"proa","sub":"ann","id":"7","tenant":"ours","exp":%d%s}`, i.url(), now.Add(time.Hour).Unix(), more)
	}
	type header = map[jose.HeaderKey]any
	raw := func(header, payload, signature string) string {
		text := base64.RawURLEncoding.EncodeToString
		return text([]byte(header)) + "." + text([]byte(payload)) + "." + text([]byte(signature))
	}
	good := sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(""))
	if got := ask(a, good); !strings.HasPrefix(got, "oidc:ann") {
		t.Fatalf("a good token: %s", got)
	}
	const forged, malformed = "error: oidc: verify token: failed to verify signature: failed to verify id token signature", "error: oidc: verify token: oidc: malformed jwt: "
	for _, c := range []struct{ name, token, want string }{
		{"not signed", raw(`{"alg":"none"}`, claims(""), ""), malformed},
		{"not signed, in capitals", raw(`{"alg":"None","kid":"rsa"}`, claims(""), ""), malformed},
		{"no algorithm", raw(`{"kid":"rsa"}`, claims(""), "x"), malformed},
		{"the public key as a secret", sign(t, jose.HS256, shown, header{"kid": "rsa"}, false, claims("")), malformed},
		{"the public key's bytes as a secret", sign(t, jose.HS256, public, header{"kid": "rsa"}, false, claims("")), malformed},
		{"the algorithm exchanged", raw(`{"alg":"ES256","kid":"rsa"}`, claims(""), strings.Repeat("x", 64)), forged},
		{"another key's name", sign(t, jose.RS256, key, header{"kid": "k1"}, false, claims("")), forged},
		{"a key of its own under a known name", sign(t, jose.RS256, own, header{"kid": "rsa"}, false, claims("")), forged},
		{"a key of its own without a name", sign(t, jose.RS256, own, nil, false, claims("")), forged},
		{"a key of its own in the header", sign(t, jose.RS256, own, nil, true, claims("")), forged},
		{"keys of its own elsewhere", sign(t, jose.RS256, own, header{"kid": "rsa", "jku": i.server.URL + "/own", "x5u": i.server.URL + "/own"}, false, claims("")), forged},
		{"a name that is a path", sign(t, jose.RS256, own, header{"kid": "../../../../dev/null"}, false, claims("")), forged},
		{"a name that is long", sign(t, jose.RS256, own, header{"kid": strings.Repeat("k", 1<<20)}, false, claims("")), forged},
		{"a name that is none", raw(`{"alg":"RS256","kid":{"a":1}}`, claims(""), "x"), malformed},
		{"what must be understood", raw(`{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}`, claims(""), strings.Repeat("x", 256)), forged},
		{"a payload that is apart", raw(`{"alg":"RS256","kid":"rsa","b64":false,"crit":["b64"]}`, claims(""), strings.Repeat("x", 256)), forged},
		{"a long payload", raw(`{"alg":"RS256","kid":"rsa"}`, claims(`,"x":"`+strings.Repeat("x", 1<<20)+`"`), strings.Repeat("x", 256)), forged},
		{"a long payload, signed", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(`,"x":"`+strings.Repeat("x", 1<<20)+`"`)), "oidc:ann"},
		{"a long signature", raw(`{"alg":"RS256","kid":"rsa"}`, claims(""), strings.Repeat("x", 1<<20)), forged},
		{"a long header", raw(`{"alg":"RS256","kid":"rsa","x":"`+strings.Repeat("x", 1<<20)+`"}`, claims(""), "x"), forged},
		{"a deep payload", raw(`{"alg":"RS256","kid":"rsa"}`, strings.Repeat(`{"a":`, 200_000), "x"), "unknown"},
		{"many dots", strings.Repeat(".", 1<<20), "unknown"},
		{"two issuers", raw(`{"alg":"RS256","kid":"rsa"}`, claims(`,"iss":"https://own.example"`), strings.Repeat("x", 256)), "unknown"},
		{"an issuer with a slash", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(`,"iss":"`+i.url()+`/"`)), "unknown"},
		{"an issuer in capitals", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(`,"iss":"`+strings.ToUpper(i.url())+`"`)), "unknown"},
		{"expired", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(fmt.Sprintf(`,"exp":%d`, now.Add(-time.Second).Unix()))), "error: oidc: verify token: oidc: token is expired"},
		{"never expires", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, strings.Replace(claims(""), `"exp"`, `"end"`, 1)), "error: oidc: verify token: oidc: token is expired"},
		{"expires beyond numbers", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(`,"exp":1e400`)), "error: oidc: verify token: oidc: failed to unmarshal claims"},
		{"of the future", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(fmt.Sprintf(`,"nbf":%d`, now.Add(6*time.Minute).Unix()))), "error: oidc: verify token: oidc: current time"},
		{"of a clock that is a little ahead", sign(t, jose.RS256, key, header{"kid": "rsa"}, false, claims(fmt.Sprintf(`,"nbf":%d`, now.Add(4*time.Minute).Unix()))), "oidc:ann"},
	} {
		if got := ask(a, c.token); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %.200s, want %s", c.name, got, c.want)
		}
	}
	if got := ask(a, good); !strings.HasPrefix(got, "oidc:ann") {
		t.Errorf("the good token, afterwards: %s", got)
	}
}

// endless writes until nobody reads, and counts.
func endless(begin string, wrote *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, begin)
		for chunk := bytes.Repeat([]byte("x"), 64<<10); err == nil && wrote.Load() < 1<<30; {
			var n int
			n, err = w.Write(chunk)
			wrote.Add(int64(n))
		}
	}
}

// repeated is a set of the same key.
func repeated(key string, times int) string {
	return `{"keys":[` + strings.TrimSuffix(strings.Repeat(key+",", times), ",") + "]}"
}

// wide is an answer with a key of so many bits.
func wide(bits uint) http.HandlerFunc {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	n.SetBit(n, 0, 1)
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &rsa.PublicKey{N: n, E: 65537}, KeyID: "k1"}}})
	}
}

// An issuer that answers what nobody asked for has its tokens refused, costs little, and is good again once it answers well.
func TestHostileIssuers(t *testing.T) {
	var wrote atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("keys were asked for without TLS") }))
	defer elsewhere.Close()
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	many := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, repeated(`{"kty":"oct","kid":"k1","k":"AAAA"}`, 5_000))
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	for _, c := range []struct {
		name            string
		discovery, keys http.HandlerFunc
		want            string
	}{
		{"an endless document", endless(`{"issuer":"`, &wrote), nil, "it is longer than 1048576 bytes"},
		{"a document elsewhere, without TLS", redirect(elsewhere.URL), nil, "expected an https URL"},
		{"a document in a circle", redirect("/.well-known/openid-configuration"), nil, "stopped after 10 redirects"},
		{"a deep document", text(strings.Repeat(`{"a":`, 100_000)), nil, "exceeded max depth"},
		{"endless keys", nil, endless(`{"keys":[{"kid":"`, &wrote), "it is longer than 1048576 bytes"},
		{"endless space", nil, endless(`{"keys":[]}`+strings.Repeat(" ", 1<<20), &wrote), "it is longer than 1048576 bytes"},
		{"keys elsewhere, without TLS", nil, redirect(elsewhere.URL), "expected an https URL"},
		{"keys in a file", nil, redirect("file:///etc/passwd"), "expected an https URL"},
		{"keys in a circle", nil, redirect("/keys"), "stopped after 10 redirects"},
		{"a key of four million bits", nil, wide(4 << 20), `key "k1" has 4194304 bits: at most 16384`},
		{"a key a little too long", nil, wide(16386), `key "k1" has 16386 bits: at most 16384`},
		{"a key that is as long as any may be", nil, wide(16384), "failed to verify id token signature"},
		{"many keys", nil, many, "failed to verify id token signature"},
		{"deep keys", nil, text(`{"keys":` + strings.Repeat("[", 100_000)), "failed to decode keys"},
		{"no keys", nil, text(`{}`), "failed to verify id token signature"},
		{"nothing", nil, text(``), "failed to decode keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := newIssuer(t)
			i.discovery, i.keys = c.discovery, c.keys
			clock := now
			a, _ := openWith(t, i.configuration(plain), func() time.Time { return clock })
			token := i.token(map[string]any{"id": "7", "tenant": "ours"})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := ask(a, token)
			runtime.ReadMemStats(&after)
			if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, c.want) {
				t.Errorf("%.300s, want %s", got, c.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
				t.Errorf("it took %d MiB", used>>20)
			}
			i.discovery, i.keys, clock = nil, nil, clock.Add(time.Minute)
			if got := ask(a, token); !strings.HasPrefix(got, "oidc:ann") {
				t.Errorf("once it answers well: %s", got)
			}
		})
	}
	if wrote.Load() >= 1<<30 {
		t.Error("an endless answer was read to its end")
	}
}

// While an issuer keeps silent, each request waits for it no longer than its client does.
func TestIssuerThatKeepsSilent(t *testing.T) {
	for _, silent := range []string{"discovery", "keys"} {
		i := newIssuer(t)
		asked, speak := make(chan struct{}, 10), make(chan struct{})
		wait := func(http.ResponseWriter, *http.Request) {
			asked <- struct{}{}
			<-speak
		}
		if silent == "keys" {
			i.keys = wait
		} else {
			i.discovery = wait
		}
		a, _ := open(t, i.configuration(plain))
		token := i.token(map[string]any{"id": "7", "tenant": "ours"})
		waiting := make(chan string)
		go func() { waiting <- ask(a, token) }()
		<-asked
		for range 100 {
			ctx, leave := context.WithCancel(t.Context())
			leave()
			r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+token)
			if _, ok, err := a.Authenticate(r); ok || err == nil || !strings.Contains(err.Error(), "context canceled") {
				t.Errorf("%s: %v, %v", silent, ok, err)
			}
		}
		if got := ask(a, "a.b.c"); got != "unknown" {
			t.Errorf("%s: a token of others: %s", silent, got)
		}
		close(speak)
		if got := <-waiting; !strings.HasPrefix(got, "error: ") {
			t.Errorf("%s: %s", silent, got)
		}
		if len(asked) > 0 {
			t.Errorf("%s: asked for %d times more at the same time", silent, len(asked))
		}
	}
}

// Tokens of keys that are not known have the issuer asked for its keys once in a while, however many there are, and however it
// answers. Meanwhile tokens of known keys are good; afterwards those of new keys are, too.
func TestUnknownKeysAskSeldom(t *testing.T) {
	i, clock := newIssuer(t), now
	var asked atomic.Int32
	var down atomic.Bool
	i.keys = func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.keyID}}})
	}
	a, _ := openWith(t, i.configuration(plain), func() time.Time { return clock })
	claims := map[string]any{"id": "7", "tenant": "ours"}
	old := i.token(claims)
	if got := ask(a, old); !strings.HasPrefix(got, "oidc:ann") {
		t.Fatal(got)
	}
	i.rotate("k2")
	token := i.token(claims)
	refused := func(times int32, why string) {
		t.Helper()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := ask(a, token); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, why) {
					t.Errorf("%s, want %s", got, why)
				}
			})
		}
		all.Wait()
		if asked.Load() != times {
			t.Errorf("the issuer was asked %d times, want %d", asked.Load(), times)
		}
	}
	refused(1, "failed to verify id token signature")
	clock = clock.Add(5 * time.Second)
	down.Store(true)
	refused(2, "503 Service Unavailable")
	if got := ask(a, old); !strings.HasPrefix(got, "oidc:ann") {
		t.Errorf("a key that is known, while the issuer is down: %s", got)
	}
	clock = clock.Add(5*time.Second - 1)
	down.Store(false)
	refused(2, "503 Service Unavailable")
	clock = clock.Add(1)
	if got := ask(a, token); !strings.HasPrefix(got, "oidc:ann") || asked.Load() != 3 {
		t.Errorf("signed with a new key: %s", got)
	}
}

// A configured issuer with a slash at its end is found at one place, and is no other than that.
func TestIssuerWithSlash(t *testing.T) {
	i := newIssuer(t)
	config := strings.Replace(i.configuration(plain), "url: "+i.server.URL, "url: "+i.server.URL+"/", 1)
	token := i.token(map[string]any{"id": "7", "tenant": "ours"})
	a, _ := open(t, config)
	if got := ask(a, token); got != "unknown" {
		t.Errorf("without the slash: %s", got)
	}
	slashed := i.token(map[string]any{"id": "7", "tenant": "ours", "iss": i.server.URL + "/"})
	if got := ask(a, slashed); !strings.Contains(got, "issuer did not match") {
		t.Errorf("the document names it without: %s", got)
	}
	i.says = i.server.URL + "/"
	a, _ = open(t, config)
	if got := ask(a, slashed); !strings.HasPrefix(got, "oidc:ann") {
		t.Errorf("with the slash: %s", got)
	}
}
