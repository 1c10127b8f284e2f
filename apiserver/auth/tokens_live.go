package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/core"
	"proa/store"
)

// live checks that the account, and what the token is bound to, are still there, and returns the user.
func (t *Tokens) live(ctx context.Context, c *claims, token string) (User, error) {
	snap := t.cfg.Source.Snapshot()
	gone := t.cfg.Now().Add(-jwt.DefaultLeeway) // what was deleted before this counts as gone
	if c.Kubernetes == nil {
		return t.legacyLive(ctx, snap, c, token)
	}
	k := c.Kubernetes
	if err := accountLive(snap, k.Namespace, k.Account, gone); err != nil {
		return User{}, err
	}
	u := AccountUser(k.Namespace, k.Account.Name, k.Account.UID)
	u.Extra = map[string][]string{}
	if c.ID != "" {
		u.Extra[CredentialID] = []string{"JTI=" + c.ID}
	}
	if k.Secret != nil {
		if err := boundLive[*corev1.Secret](snap, "secrets", "secret", k.Namespace, *k.Secret, gone); err != nil {
			return User{}, err
		}
	}
	if k.Pod != nil {
		if err := boundLive[*corev1.Pod](snap, "pods", "pod", k.Namespace, *k.Pod, gone); err != nil {
			return User{}, err
		}
		u.Extra[extraPodName], u.Extra[extraPodUID] = []string{k.Pod.Name}, []string{k.Pod.UID}
	}
	if k.Node != nil {
		if k.Pod == nil { // with a pod the node is only told
			if err := boundLive[*corev1.Node](snap, "nodes", "node", "", *k.Node, gone); err != nil {
				return User{}, err
			}
		}
		u.Extra[ExtraNodeName] = []string{k.Node.Name}
		if k.Node.UID != "" {
			u.Extra[extraNodeUID] = []string{k.Node.UID}
		}
	}
	if len(u.Extra) == 0 {
		u.Extra = nil
	}
	return u, nil
}

func accountLive(snap store.Snapshot, namespace string, ref claimRef, gone time.Time) error {
	account, ok := lookup[*corev1.ServiceAccount](snap, serviceAccountTable, namespace, ref.Name)
	switch {
	case !ok:
		return fmt.Errorf("serviceaccounts %q not found", ref.Name)
	case string(account.UID) != ref.UID:
		return fmt.Errorf("service account UID (%s) does not match claim (%s)", account.UID, ref.UID)
	case deletedBefore(account, gone):
		return fmt.Errorf("service account %s/%s has been deleted", namespace, ref.Name)
	}
	return nil
}

func boundLive[T metav1.Object](snap store.Snapshot, table, what, namespace string, ref claimRef, gone time.Time) error {
	obj, ok := lookup[T](snap, table, namespace, ref.Name)
	switch {
	case !ok || deletedBefore(obj, gone):
		return errors.New("service account token has been invalidated")
	case string(obj.GetUID()) != ref.UID:
		return fmt.Errorf("%s UID (%s) does not match service account %s ref claim (%s)", what, obj.GetUID(), what, ref.UID)
	}
	return nil
}

// legacyLive checks a token that a secret of type service-account-token holds.
func (t *Tokens) legacyLive(ctx context.Context, snap store.Snapshot, c *claims, token string) (User, error) {
	for claim, value := range map[string]string{"namespace": c.LegacyNamespace, "secretName": c.LegacySecret,
		"serviceAccountName": c.LegacyAccount, "serviceAccountUID": c.LegacyAccountUID} {
		if value == "" {
			return User{}, errors.New(claim + " claim is missing")
		}
	}
	u := AccountUser(c.LegacyNamespace, c.LegacyAccount, c.LegacyAccountUID)
	if c.Subject != u.Name {
		return User{}, errors.New("sub claim is invalid")
	}
	secret, ok := lookup[*corev1.Secret](snap, "secrets", c.LegacyNamespace, c.LegacySecret)
	if !ok || secret.DeletionTimestamp != nil {
		return User{}, errors.New("Token has been invalidated") //nolint:staticcheck // upstream's words
	}
	if subtle.ConstantTimeCompare(secret.Data[corev1.ServiceAccountTokenKey], []byte(token)) == 0 {
		return User{}, errors.New("Token does not match server's copy") //nolint:staticcheck // upstream's words
	}
	if err := accountLive(snap, c.LegacyNamespace, claimRef{c.LegacyAccount, c.LegacyAccountUID}, time.Time{}); err != nil {
		return User{}, err
	}
	t.noteUse(ctx, secret)
	u.Shown = &SecretToken{Secret: secret.Name, Made: listed(snap, c, secret.Name)}
	if secret.Labels[core.InvalidSince] != "" {
		return User{}, fmt.Errorf("the token in secret %s/%s for service account %s/%s has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '%s' label from the secret to temporarily allow use of this token",
			c.LegacyNamespace, c.LegacySecret, c.LegacyNamespace, c.LegacyAccount, core.InvalidSince)
	}
	return u, nil
}

// listed says whether the account lists the Secret, which is how those that the cluster made are known.
func listed(snap store.Snapshot, c *claims, secret string) bool {
	account, ok := lookup[*corev1.ServiceAccount](snap, serviceAccountTable, c.LegacyNamespace, c.LegacyAccount)
	return ok && slices.ContainsFunc(account.Secrets, func(ref corev1.ObjectReference) bool { return ref.Name == secret })
}

// noteUse has the day written down, unless it is, perhaps by a clock that is ahead.
func (t *Tokens) noteUse(ctx context.Context, secret *corev1.Secret) {
	now := t.cfg.Now().UTC()
	today := now.Format(time.DateOnly)
	if used := secret.Labels[core.LastUsed]; t.cfg.Used != nil && used != today && used != now.AddDate(0, 0, 1).Format(time.DateOnly) {
		t.cfg.Used(ctx, secret, today)
	}
}

// AccountUser is the user that a service account is.
func AccountUser(namespace, name, uid string) User {
	return User{Name: AccountUserPrefix + namespace + ":" + name, UID: uid,
		Groups: []string{GroupAccounts, AccountGroupPrefix + namespace}}
}

func deletedBefore(obj metav1.Object, t time.Time) bool {
	deleted := obj.GetDeletionTimestamp()
	return deleted != nil && (t.IsZero() || deleted.Time.Before(t))
}

// lookup returns an object of a snapshot as its concrete kind.
func lookup[T any](snap store.Snapshot, table, namespace, name string) (obj T, ok bool) {
	item := snap.Get(store.Key{Table: table, Namespace: namespace, Name: name})
	if item == nil {
		return obj, false
	}
	obj, ok = item.Value().(T)
	return obj, ok
}
