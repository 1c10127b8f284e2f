package oidc

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// freshFor is how long what an issuer said its keys are is not asked for again: what a new key may have to wait until its first
// tokens are good. The library's key set asks for each token that no known key has signed, and anybody can make such tokens.
const freshFor = 5 * time.Second

// fresh is the way to an issuer's keys. It answers out of what the issuer answered last, or failed with, while that is fresh.
type fresh struct {
	client *http.Client // follows redirects
	now    func() time.Time

	mu struct {
		sync.Mutex // held while the issuer is asked, so that it is asked once
		until      time.Time
		answer     http.Response // without its body
		body       []byte
		err        error
	}
}

// RoundTrip implements http.RoundTripper. Its requests are all of the same URL.
func (f *fresh) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.now().Before(f.mu.until) {
		f.mu.err = f.askLocked(r)
		f.mu.until = f.now().Add(freshFor)
	}
	if f.mu.err != nil {
		return nil, f.mu.err
	}
	answer := f.mu.answer
	answer.Body = io.NopCloser(bytes.NewReader(f.mu.body))
	return &answer, nil
}

func (f *fresh) askLocked(r *http.Request) error {
	resp, err := f.client.Do(r.Clone(r.Context()))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if f.mu.body, err = io.ReadAll(resp.Body); err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	f.mu.answer, f.mu.answer.Body = *resp, nil
	return nil
}
