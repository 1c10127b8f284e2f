package auth

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// Remember keeps what another authenticator said of bearer tokens, for a while each. It is for those that ask somebody else. It
// keeps hashes of tokens only; requests without a token are not its business.
func Remember(next Authenticator, success, failure time.Duration, now func() time.Time) Authenticator {
	r := &remembered{next: next, success: success, failure: failure, now: now}
	r.mu.said = map[[sha256.Size]byte]saying{}
	return r
}

// mostRemembered bounds the memory; when it is reached, everything is forgotten, which costs each holder one more question.
const mostRemembered = 4096

type remembered struct {
	next             Authenticator
	success, failure time.Duration
	now              func() time.Time

	mu struct {
		sync.Mutex
		said map[[sha256.Size]byte]saying
	}
}

type saying struct {
	user  User
	ok    bool
	until time.Time
}

// Authenticate implements Authenticator. Errors are not kept: they may pass.
func (m *remembered) Authenticate(r *http.Request) (User, bool, error) {
	token, ok := bearer(r)
	if !ok {
		return User{}, false, nil
	}
	sum, now := sha256.Sum256([]byte(token)), m.now()
	m.mu.Lock()
	said, known := m.mu.said[sum]
	m.mu.Unlock()
	if known && now.Before(said.until) {
		return said.user, said.ok, nil
	}
	u, ok, err := m.next.Authenticate(r)
	keep := m.success
	if !ok {
		keep = m.failure
	}
	if err != nil || keep <= 0 {
		return u, ok, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mu.said) >= mostRemembered {
		clear(m.mu.said)
	}
	m.mu.said[sum] = saying{u, ok, now.Add(keep)}
	return u, ok, nil
}
