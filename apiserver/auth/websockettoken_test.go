package auth_test

import (
	"net/http/httptest"
	"testing"

	"proa/apiserver/auth"
)

func TestWebSocketTokens(t *testing.T) {
	all := auth.WebSocketTokens(auth.First(auth.NewStaticTokens(map[string]auth.User{"ann's": {Name: "ann"}})))
	const token = "base64url.bearer.authorization.k8s.io.YW5uJ3M"
	for protocols, want := range map[string]struct{ user, left string }{
		"v5.channel.k8s.io, " + token: {"ann", "v5.channel.k8s.io"},
		token + ",a,b":                {"ann", "a,b"},
		"a":                           {"system:anonymous", "a"},
		token:                         {"system:anonymous", token}, // nothing would be left to choose
		"a," + token + "," + token:    {"system:anonymous", "a," + token + "," + token},
		"a,base64url.bearer.authorization.k8s.io.?":  {"system:anonymous", "a,base64url.bearer.authorization.k8s.io.?"},
		"a,base64url.bearer.authorization.k8s.io.eA": {"", "a"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Protocol", protocols)
		u, _, _ := all.Authenticate(r)
		if left := r.Header.Get("Sec-WebSocket-Protocol"); u.Name != want.user || left != want.left {
			t.Errorf("%s: %q, left %q; want %v", protocols, u.Name, left, want)
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was put where others see it")
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Sec-WebSocket-Protocol", "a,"+token)
	if u, _, _ := all.Authenticate(r); u.Name != "system:anonymous" {
		t.Errorf("no WebSocket, but %s", u.Name)
	}
}
