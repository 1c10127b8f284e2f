// Package serviceaccount gives every Namespace its ServiceAccount "default", which pods run as that name no other, and fills the
// Secrets that hold tokens of accounts.
//
// It decides when such a token goes: with its account, or when it is one of old times that nobody uses. It owns those accounts'
// existence and those Secrets; the controller host calls it. Until it has made the account of a new namespace, pods there are
// refused by admission, and their creators try again.
package serviceaccount

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const (
	table = "serviceaccounts"
	name  = "default"
)

// New makes the controller. Its keys are namespaces.
func New() reconcile.Controller {
	return reconcile.Controller{
		Name:     "serviceaccount",
		Identity: "system:serviceaccount:kube-system:service-account-controller",
		Reads: []reconcile.Read{
			{Table: "namespaces", Keys: reconcile.Self},
			{Table: table, Keys: keysOfAccount},
		},
		Writes:    []string{"serviceaccounts(default)"},
		Reconcile: run,
	}
}

func keysOfAccount(_ client.View, event client.Event) []reconcile.Key {
	if event.Type != client.Deleted || event.Object.GetName() != name {
		return nil
	}
	return []reconcile.Key{{Name: event.Object.GetNamespace()}}
}

func run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	namespace, ok := client.Get[*corev1.Namespace](req.View, "namespaces", "", req.Name)
	if !ok || namespace.DeletionTimestamp != nil || namespace.Status.Phase == corev1.NamespaceTerminating {
		return reconcile.Result{}, nil
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: req.Name, Name: name}}
	ref := client.RefOf(table, account)
	if req.View.Get(ref) != nil {
		return reconcile.Result{}, nil
	}
	_, err := req.Client.Create(ctx, ref, "", account, metav1.CreateOptions{})
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, fmt.Errorf("create service account: %w", err)
}
