package oidc

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTimeout bounds one request to an issuer, and answerLimit its answer.
	fetchTimeout = 30 * time.Second
	answerLimit  = 1 << 20
	// mostRedirects are followed, as by upstream.
	mostRedirects = 10
	// mostModulus is how many bits a key of RSA may have, as OpenSSL limits them. The work on one grows with the square of
	// its length, for each token, and nothing can end it early.
	mostModulus = 16384
)

// fetcher is the client for an issuer. A redirect may lead to any host, as the issuer's word of where its keys are may, but keys
// do not come over a connection that anybody could change.
func fetcher(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: bounded{transport}, Timeout: fetchTimeout, CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if to.URL.Scheme != "https" {
			return fmt.Errorf("redirect to %q: expected an https URL", to.URL.Redacted())
		}
		if len(via) >= mostRedirects {
			return fmt.Errorf("stopped after %d redirects", len(via))
		}
		return nil
	}}
}

// bounded is a transport whose answers are short and hold no key that takes long to check with. The library's key set reads
// whatever it gets.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > answerLimit {
		return nil, fmt.Errorf("read answer: it is longer than %d bytes", answerLimit)
	}
	if err := checkKeys(body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// checkKeys refuses keys that are too large. What holds no keys is not judged here: who asked for them says what is wrong.
func checkKeys(body []byte) error {
	var set jose.JSONWebKeySet
	if json.Unmarshal(body, &set) != nil {
		return nil
	}
	for _, key := range set.Keys {
		if k, ok := key.Key.(*rsa.PublicKey); ok && k.N.BitLen() > mostModulus {
			return fmt.Errorf("key %.100q has %d bits: at most %d", key.KeyID, k.N.BitLen(), mostModulus)
		}
	}
	return nil
}
