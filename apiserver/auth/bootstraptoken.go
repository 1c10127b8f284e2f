package auth

import (
	"crypto/subtle"
	"net/http"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"

	"proa/kinds/core"
	"proa/store"
)

var bootstrapToken = regexp.MustCompile(`\A([a-z0-9]{6})\.([a-z0-9]{16})\z`)

// BootstrapTokens lets in who shows a token that a Secret of kube-system holds, as nodes do that have no certificate yet.
type BootstrapTokens struct {
	source Source
	now    func() time.Time
}

// NewBootstrapTokens reads Secrets of source. now is time.Now if nil.
func NewBootstrapTokens(source Source, now func() time.Time) *BootstrapTokens {
	if now == nil {
		now = time.Now
	}
	return &BootstrapTokens{source: source, now: now}
}

// Authenticate accepts a bearer token in the form of bootstrap tokens. One that is unknown, over or of another use is
// nobody's business here: as upstream, the refusal then says no more than of any other token.
func (b *BootstrapTokens) Authenticate(r *http.Request) (User, bool, error) {
	token, ok := bearer(r)
	if !ok {
		return User{}, false, nil
	}
	parts := bootstrapToken.FindStringSubmatch(token)
	if parts == nil {
		return User{}, false, nil
	}
	namespace, name := core.BootstrapTokenRef(parts[1])
	item := b.source.Snapshot().Get(store.Key{Table: "secrets", Namespace: namespace, Name: name})
	if item == nil {
		return User{}, false, nil
	}
	secret, ok := item.Value().(*corev1.Secret)
	if !ok || secret.DeletionTimestamp != nil {
		return User{}, false, nil
	}
	t, ok := core.ReadBootstrapToken(secret)
	if !ok || !t.Authentication || t.Groups == nil || t.Expired(b.now()) ||
		subtle.ConstantTimeCompare([]byte(t.Secret), []byte(parts[2])) != 1 {
		return User{}, false, nil
	}
	return User{Name: "system:bootstrap:" + t.ID, Groups: t.Groups}, true, nil
}
