package auth

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// webSocketToken begins a subprotocol in which browsers, which cannot set the Authorization header of a WebSocket, send a
// bearer token, in base64 for URLs.
const webSocketToken = "base64url.bearer.authorization.k8s.io."

// WebSocketTokens moves the bearer token of a WebSocket's subprotocols to where other authenticators look for it, and asks next.
// The token goes from the request's header whatever next says, for nobody else may see it.
func WebSocketTokens(next Authenticator) Authenticator { return &webSocketTokens{next} }

type webSocketTokens struct{ next Authenticator }

func (a *webSocketTokens) Authenticate(r *http.Request) (User, bool, error) {
	if r.Header.Get("Authorization") != "" || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return a.next.Authenticate(r)
	}
	token, rest, found := takeToken(r.Header["Sec-Websocket-Protocol"])
	if !found {
		return a.next.Authenticate(r)
	}
	r.Header["Sec-Websocket-Protocol"] = rest
	asked := &http.Request{Method: r.Method, URL: r.URL, TLS: r.TLS, Header: r.Header.Clone(), RemoteAddr: r.RemoteAddr, Host: r.Host}
	asked = asked.WithContext(r.Context())
	asked.Header.Set("Authorization", "Bearer "+token)
	return a.next.Authenticate(asked)
}

// takeToken finds the token among subprotocols. As upstream's, it must be one alone, and another protocol must be left to choose.
func takeToken(headers []string) (token string, rest []string, found bool) {
	for _, header := range headers {
		for _, protocol := range strings.Split(header, ",") {
			protocol = strings.TrimSpace(protocol)
			encoded, is := strings.CutPrefix(protocol, webSocketToken)
			if !is {
				rest = append(rest, protocol)
				continue
			}
			decoded, err := base64.RawURLEncoding.DecodeString(encoded)
			if err != nil || found || len(decoded) == 0 || !utf8.Valid(decoded) || slices.Contains(decoded, '\n') {
				return "", nil, false
			}
			token, found = string(decoded), true
		}
	}
	if len(rest) == 0 {
		return "", nil, false
	}
	return token, []string{strings.Join(rest, ",")}, found
}
