package auth

import (
	"encoding/json"
	"net/http"
)

// Paths of the documents by which others check tokens of this cluster.
const (
	openIDPath = "/.well-known/openid-configuration"
	keysPath   = "/openid/v1/jwks"
)

// ServeOpenID answers both documents of OIDC discovery. It returns false for any other path.
func (t *Tokens) ServeOpenID(w http.ResponseWriter, r *http.Request) bool {
	var document any
	switch r.URL.Path {
	case openIDPath:
		w.Header().Set("Content-Type", "application/json")
		document = map[string]any{
			"issuer":                                t.cfg.Issuer,
			"jwks_uri":                              t.cfg.KeysURL,
			"response_types_supported":              []string{"id_token"},
			"subject_types_supported":               []string{"public"},
			"id_token_signing_alg_values_supported": t.algorithms(),
		}
	case keysPath:
		w.Header().Set("Content-Type", "application/jwk-set+json")
		document = t.keys
	default:
		return false
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_ = json.NewEncoder(w).Encode(document) // the client is gone if this fails
	return true
}

func (t *Tokens) algorithms() []string {
	var names []string
	for _, key := range t.keys.Keys {
		if !has(names, key.Algorithm, key.Algorithm) {
			names = append(names, key.Algorithm)
		}
	}
	return names
}
