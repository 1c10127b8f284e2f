package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
)

// verified remembers what a costly check of a signature yielded, by the hash of what was checked. It holds no secret.
// When it is full it forgets everything: that costs each holder one check, and needs no bookkeeping on the many hits.
type verified[T any] struct {
	limit int
	mu    struct {
		sync.RWMutex
		known map[digest]*T
	}
}

func newVerified[T any](limit int) *verified[T] {
	v := &verified[T]{limit: limit}
	v.mu.known = map[digest]*T{}
	return v
}

// digest names a credential.
type digest = [sha256.Size]byte

func (v *verified[T]) get(sum digest) (*T, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	t, ok := v.mu.known[sum]
	return t, ok
}

func (v *verified[T]) put(sum digest, t *T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.mu.known) >= v.limit {
		clear(v.mu.known)
	}
	v.mu.known[sum] = t
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
