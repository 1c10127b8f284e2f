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
		known map[[sha256.Size]byte]*T
	}
}

func newVerified[T any](limit int) *verified[T] {
	v := &verified[T]{limit: limit}
	v.mu.known = map[[sha256.Size]byte]*T{}
	return v
}

func (v *verified[T]) get(credential string) (*T, bool) {
	sum := sha256.Sum256([]byte(credential))
	v.mu.RLock()
	defer v.mu.RUnlock()
	t, ok := v.mu.known[sum]
	return t, ok
}

func (v *verified[T]) put(credential string, t *T) {
	sum := sha256.Sum256([]byte(credential))
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
