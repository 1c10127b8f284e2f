package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/auth"
)

type tokenWorld struct {
	*state
	tokens *auth.Tokens
	now    time.Time
	key    *ecdsa.PrivateKey
	used   []string // tokens of Secrets, with the day
}

func newTokenWorld(t *testing.T) *tokenWorld {
	t.Helper()
	w := &tokenWorld{state: newState(t), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.tokens, err = auth.NewTokens(auth.TokensConfig{Key: w.key, Source: w.state, Now: func() time.Time { return w.now },
		Used: func(_ context.Context, secret *corev1.Secret, day string) {
			w.used = append(w.used, secret.Name+" "+day)
		}}); err != nil {
		t.Fatal(err)
	}
	w.put(account("robot", "ua"), pod("p", "up", "n", "robot"), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "un"}})
	return w
}

func account(name string, uid types.UID) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: uid}}
}

func pod(name string, uid types.UID, node, account string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: uid},
		Spec: corev1.PodSpec{NodeName: node, ServiceAccountName: account}}
}

func (w *tokenWorld) issue(spec authenticationv1.TokenRequestSpec) string {
	w.t.Helper()
	out, err := w.tokens.Request("a", "robot", &authenticationv1.TokenRequest{Spec: spec})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Status.Token
}

func (w *tokenWorld) ask(token string) (auth.User, bool, error) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.tokens.Authenticate(r)
}

func boundTo(kind, name string) *authenticationv1.BoundObjectReference {
	return &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: kind, Name: name}
}

func TestTokenRoundTrip(t *testing.T) {
	w := newTokenWorld(t)
	u, ok, err := w.ask(w.issue(authenticationv1.TokenRequestSpec{BoundObjectRef: boundTo("Pod", "p")}))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if u.Name != "system:serviceaccount:a:robot" || u.UID != "ua" || strings.Join(u.Groups, ",") != "system:serviceaccounts,system:serviceaccounts:a" {
		t.Errorf("user %+v", u)
	}
	for key, want := range map[string]string{"pod-name": "p", "pod-uid": "up", "node-name": "n", "node-uid": "un"} {
		if got := u.Extra["authentication.kubernetes.io/"+key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %v, want %s", key, got, want)
		}
	}
	if id := u.Extra["authentication.kubernetes.io/credential-id"]; len(id) != 1 || !strings.HasPrefix(id[0], "JTI=") {
		t.Errorf("credential id %v", id)
	}
}

// A token is good as long as what it names is there, and not a moment longer.
func TestTokenDiesWithItsObjects(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *tokenWorld)
		want   string
	}{
		"pod deleted":       {func(w *tokenWorld) { w.remove(pod("p", "", "", "")) }, "service account token has been invalidated"},
		"pod replaced":      {func(w *tokenWorld) { w.put(pod("p", "new", "n", "robot")) }, "pod UID (new) does not match service account pod ref claim (up)"},
		"account deleted":   {func(w *tokenWorld) { w.remove(account("robot", "")) }, `serviceaccounts "robot" not found`},
		"account replaced":  {func(w *tokenWorld) { w.put(account("robot", "new")) }, "service account UID (new) does not match claim (ua)"},
		"expired":           {func(w *tokenWorld) { w.now = w.now.Add(time.Hour + 2*time.Minute) }, "service account token has expired"},
		"clock turned back": {func(w *tokenWorld) { w.now = w.now.Add(-time.Hour) }, "service account token is not valid yet"},
		"node deleted":      {func(w *tokenWorld) { w.remove(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}) }, ""},
		"within the leeway": {func(w *tokenWorld) { w.now = w.now.Add(time.Hour + 30*time.Second) }, ""},
		"pod is being deleted long since": {func(w *tokenWorld) {
			p := pod("p", "up", "n", "robot")
			p.DeletionTimestamp = &metav1.Time{Time: w.now.Add(-time.Hour)}
			w.put(p)
		}, "service account token has been invalidated"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTokenWorld(t)
			token := w.issue(authenticationv1.TokenRequestSpec{BoundObjectRef: boundTo("Pod", "p")})
			if _, ok, err := w.ask(token); !ok {
				t.Fatal(err)
			}
			c.change(w)
			_, ok, err := w.ask(token)
			if c.want == "" {
				if !ok {
					t.Errorf("refused: %v", err)
				}
			} else if ok || err == nil || err.Error() != c.want {
				t.Errorf("got %v %v, want %s", ok, err, c.want)
			}
		})
	}
}

func TestTokenOfAnotherAudience(t *testing.T) {
	w := newTokenWorld(t)
	token := w.issue(authenticationv1.TokenRequestSpec{Audiences: []string{"vault"}})
	if _, ok, err := w.ask(token); ok || err == nil {
		t.Error("the API server took a token that is meant for somebody else")
	}
	if _, matched, ok, err := w.tokens.Check(context.Background(), token, []string{"x", "vault"}); !ok || len(matched) != 1 || matched[0] != "vault" {
		t.Error(matched, ok, err)
	}
}

func TestForgedTokens(t *testing.T) {
	w := newTokenWorld(t)
	good := w.issue(authenticationv1.TokenRequestSpec{})
	parts := strings.Split(good, ".")
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	claims := map[string]any{"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:a:robot",
		"aud": []string{"https://kubernetes.default.svc.cluster.local"}, "exp": w.now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "a", "serviceaccount": map[string]string{"name": "robot", "uid": "ua"}}}
	sign := func(algorithm jose.SignatureAlgorithm, key any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, token := range map[string]string{
		"other key":         sign(jose.ES256, other),
		"symmetric":         sign(jose.HS256, []byte(strings.Repeat("k", 32))),
		"no signature":      parts[0] + "." + parts[1] + ".",
		"swapped signature": parts[0] + "." + parts[1] + "." + strings.Split(sign(jose.ES256, other), ".")[2],
		"none":              "eyJhbGciOiJub25lIn0." + parts[1] + ".",
	} {
		if _, ok, _ := w.ask(token); ok {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, ok, err := w.ask(sign(jose.ES256, w.key)); !ok {
		t.Errorf("the same claims under the real key are refused, so the test proves nothing: %v", err)
	}
}

func TestTokenRequestRefusals(t *testing.T) {
	w := newTokenWorld(t)
	w.put(pod("strange", "us", "n", "other"))
	short, long := int64(599), int64(1<<33)
	for want, request := range map[string]*authenticationv1.TokenRequest{
		"may not specify a duration less than 10 minutes":         {Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &short}},
		"may not specify a duration larger than 2^32 seconds":     {Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &long}},
		"to pod running with different serviceaccount name.":      {Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: boundTo("Pod", "strange")}},
		`pods "none" not found`:                                   {Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: boundTo("Pod", "none")}},
		"cannot bind token to object of type /v1, Kind=ConfigMap": {Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: boundTo("ConfigMap", "c")}},
		"must match the service account name if specified":        {ObjectMeta: metav1.ObjectMeta{Name: "x"}},
		"does not match the UID of the service account":           {ObjectMeta: metav1.ObjectMeta{UID: "x"}},
		"The object might have been deleted and then recreated":   {Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "p", UID: "old"}}},
	} {
		if _, err := w.tokens.Request("a", "robot", request); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := w.tokens.Request("a", "nobody", &authenticationv1.TokenRequest{}); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

func TestLegacyToken(t *testing.T) {
	w := newTokenWorld(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "s"}}
	token, err := w.tokens.LegacyToken(account("robot", "ua"), secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := w.ask(token); ok {
		t.Error("accepted though no secret holds it")
	}
	secret.Data = map[string][]byte{"token": []byte(token)}
	w.put(secret)
	if u, ok, err := w.ask(token); !ok || u.Name != "system:serviceaccount:a:robot" || u.Shown == nil || *u.Shown != (auth.SecretToken{Secret: "s"}) {
		t.Error(u, ok, err)
	}
	robot := account("robot", "ua")
	robot.Secrets = []corev1.ObjectReference{{Name: "s"}}
	w.put(robot)
	if u, _, err := w.ask(token); err != nil || u.Shown == nil || !u.Shown.Made {
		t.Errorf("the cluster made the token: %+v %v", u.Shown, err)
	}
	w.now = w.now.AddDate(5, 0, 0)
	if _, ok, err := w.ask(token); !ok {
		t.Error(err)
	}
	if want := []string{"s 2026-01-01", "s 2026-01-01", "s 2031-01-01"}; !slices.Equal(w.used, want) {
		t.Errorf("used %v, want %v", w.used, want)
	}
	secret = secret.DeepCopy()
	secret.Labels = map[string]string{"kubernetes.io/legacy-token-last-used": "2031-01-01", "kubernetes.io/legacy-token-invalid-since": "2030-01-01"}
	w.put(secret)
	if _, ok, err := w.ask(token); ok || !strings.HasPrefix(err.Error(), "the token in secret a/s for service account a/robot has been marked invalid.") || len(w.used) != 3 {
		t.Error(ok, err, w.used)
	}
	w.remove(secret)
	if _, ok, err := w.ask(token); ok || err.Error() != "Token has been invalidated" {
		t.Error(ok, err)
	}
}

// Others can check tokens by what the OIDC documents say.
func TestOpenID(t *testing.T) {
	w := newTokenWorld(t)
	token := w.issue(authenticationv1.TokenRequestSpec{})
	get := func(path string, into any) {
		recorder := httptest.NewRecorder()
		if !w.tokens.ServeOpenID(recorder, httptest.NewRequest(http.MethodGet, path, nil)) {
			t.Fatal(path)
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	var config struct {
		Issuer string
		Keys   string   `json:"jwks_uri"`
		Algs   []string `json:"id_token_signing_alg_values_supported"`
	}
	get("/.well-known/openid-configuration", &config)
	var keys jose.JSONWebKeySet
	get("/openid/v1/jwks", &keys)
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(config.Algs[0])})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys.Key(parsed.Headers[0].KeyID)[0].Key, &claims); err != nil || claims.Issuer != config.Issuer {
		t.Error(err, claims.Issuer)
	}
	if !strings.HasSuffix(config.Keys, "/openid/v1/jwks") || !keys.Keys[0].IsPublic() {
		t.Error(config.Keys)
	}
	if w.tokens.ServeOpenID(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/openid/v1/other", nil)) {
		t.Error("another path was taken")
	}
}
