// Package bootstraptoken looks after bootstrap tokens, the Secrets with which new nodes ask for their first certificate:
// it deletes those that are over, and signs the ConfigMap cluster-info in kube-public with the others, so that a node that
// holds a token can tell whether what it read there, before it trusts anybody, is the cluster's.
//
// It decides which tokens are over and which sign; it owns the signatures in that ConfigMap. The controller host calls it.
// When the API refuses, the key comes back with growing delay.
package bootstraptoken

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/core"
	"proa/reconcile"
)

const secrets = "secrets"

// NewCleaner makes the controller that deletes tokens that are over.
func NewCleaner() reconcile.Controller {
	return reconcile.Controller{
		Name:      "tokencleaner",
		Identity:  "system:serviceaccount:kube-system:token-cleaner",
		Reads:     []reconcile.Read{{Table: secrets, Keys: keysOfTokens}},
		Deletes:   []string{"secrets(" + string(core.SecretTypeBootstrapToken) + ")"},
		Reconcile: clean,
	}
}

func keysOfTokens(_ client.View, event client.Event) []reconcile.Key {
	secret, ok := event.Object.(*corev1.Secret)
	if !ok || secret.Type != core.SecretTypeBootstrapToken || secret.Namespace != metav1.NamespaceSystem {
		return nil
	}
	return []reconcile.Key{reconcile.KeyOf(secret)}
}

func clean(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	secret, ok := client.Get[*corev1.Secret](req.View, secrets, req.Namespace, req.Name)
	if !ok || secret.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	token, _ := core.ReadBootstrapToken(secret)
	if !token.Expired(req.Now) {
		if token.Expires.IsZero() {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{After: token.Expires.Sub(req.Now)}, nil
	}
	err := req.Client.Delete(ctx, client.RefOf(secrets, secret), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &secret.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, fmt.Errorf("delete bootstrap token %s: %w", secret.Name, err)
	}
	return reconcile.Result{}, nil
}
