package serviceaccount

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const secrets = "secrets"

// Sign makes the token that a Secret holds for an account. It is good as long as both are there.
type Sign = func(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error)

// NewTokens makes the controller that fills Secrets of type kubernetes.io/service-account-token, and deletes those whose account
// is gone. Its keys are Secrets.
func NewTokens(sign Sign, rootCA []byte) reconcile.Controller {
	t := &tokens{sign: sign, rootCA: rootCA}
	return reconcile.Controller{
		Name:     "serviceaccount-token",
		Identity: "system:kube-controller-manager",
		Reads: []reconcile.Read{
			{Table: secrets, Keys: keysOfToken},
			{Table: table, Keys: keysOfAccountsTokens},
		},
		Writes:    []string{"secrets(" + string(corev1.SecretTypeServiceAccountToken) + ")"},
		Deletes:   []string{"secrets(" + string(corev1.SecretTypeServiceAccountToken) + ")"},
		Reconcile: t.run,
	}
}

func keysOfToken(_ client.View, event client.Event) []reconcile.Key {
	if secret, ok := event.Object.(*corev1.Secret); !ok || secret.Type != corev1.SecretTypeServiceAccountToken {
		return nil
	}
	return []reconcile.Key{reconcile.KeyOf(event.Object)}
}

// keysOfAccountsTokens are the Secrets that name an account.
func keysOfAccountsTokens(view client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	for secret := range client.List[*corev1.Secret](view, secrets, event.Object.GetNamespace()) {
		if secret.Type == corev1.SecretTypeServiceAccountToken && secret.Annotations[corev1.ServiceAccountNameKey] == event.Object.GetName() {
			keys = append(keys, reconcile.KeyOf(secret))
		}
	}
	return keys
}

type tokens struct {
	sign   Sign
	rootCA []byte
}

func (t *tokens) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	secret, ok := client.Get[*corev1.Secret](req.View, secrets, req.Namespace, req.Name)
	if !ok || secret.DeletionTimestamp != nil || secret.Type != corev1.SecretTypeServiceAccountToken {
		return reconcile.Result{}, nil
	}
	ref, account := client.RefOf(secrets, secret), accountOf(req.View, secret)
	if account == nil {
		err := req.Client.Delete(ctx, ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion}})
		if err != nil && !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("delete token without an account: %w", err)
		}
		return reconcile.Result{}, nil
	}
	next, changed, err := t.fill(secret, account)
	if err != nil || !changed {
		return reconcile.Result{}, err
	}
	if _, err = req.Client.Update(ctx, ref, "", next, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("fill token: %w", err)
	}
	return reconcile.Result{}, nil
}

// accountOf is the account that a Secret is for, nil if there is none, or another of its name.
func accountOf(view client.View, secret *corev1.Secret) *corev1.ServiceAccount {
	account, ok := client.Get[*corev1.ServiceAccount](view, table, secret.Namespace, secret.Annotations[corev1.ServiceAccountNameKey])
	if uid := secret.Annotations[corev1.ServiceAccountUIDKey]; !ok || uid != "" && uid != string(account.UID) {
		return nil
	}
	return account
}

// fill gives a Secret what it lacks.
func (t *tokens) fill(secret *corev1.Secret, account *corev1.ServiceAccount) (next *corev1.Secret, changed bool, err error) {
	staleCA := len(t.rootCA) > 0 && !bytes.Equal(secret.Data[corev1.ServiceAccountRootCAKey], t.rootCA)
	if !staleCA && len(secret.Data[corev1.ServiceAccountNamespaceKey]) > 0 && len(secret.Data[corev1.ServiceAccountTokenKey]) > 0 {
		return secret, false, nil
	}
	next = secret.DeepCopy()
	if next.Data == nil {
		next.Data = map[string][]byte{}
	}
	if staleCA {
		next.Data[corev1.ServiceAccountRootCAKey] = t.rootCA
	}
	if len(next.Data[corev1.ServiceAccountNamespaceKey]) == 0 {
		next.Data[corev1.ServiceAccountNamespaceKey] = []byte(secret.Namespace)
	}
	if len(next.Data[corev1.ServiceAccountTokenKey]) == 0 {
		token, err := t.sign(account, secret)
		if err != nil {
			return nil, false, err
		}
		next.Data[corev1.ServiceAccountTokenKey] = []byte(token)
	}
	next.Annotations[corev1.ServiceAccountNameKey], next.Annotations[corev1.ServiceAccountUIDKey] = account.Name, string(account.UID)
	return next, true, nil
}
