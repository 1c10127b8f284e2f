// Package rootca publishes the certificates of the cluster's authorities: in every Namespace, as the ConfigMap
// kube-root-ca.crt, from where pods get it beside their token; and in kube-system, as the ConfigMap
// extension-apiserver-authentication, from where aggregated API servers learn whom to believe.
//
// It decides nothing but that the content is as given; it owns these config maps; the controller host calls it. What
// others change there is put back.
package rootca

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const (
	table           = "configmaps"
	name            = "kube-root-ca.crt"
	descriptionName = "kubernetes.io/description"
	description     = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the " +
		"internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)

// New makes the controller that publishes a bundle of PEM certificates. Its keys are namespaces.
func New(bundle []byte) reconcile.Controller {
	data := map[string]string{"ca.crt": string(bundle)}
	return reconcile.Controller{
		Name:     "rootca",
		Identity: "system:serviceaccount:kube-system:root-ca-cert-publisher",
		Reads: []reconcile.Read{
			{Table: "namespaces", Keys: reconcile.Self},
			{Table: table, Keys: keysOfConfigMap},
		},
		Writes: []string{"configmaps(kube-root-ca.crt)"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, publish(ctx, req, data)
		},
	}
}

func keysOfConfigMap(_ client.View, event client.Event) []reconcile.Key {
	if event.Object.GetName() != name {
		return nil
	}
	return []reconcile.Key{{Name: event.Object.GetNamespace()}}
}

func publish(ctx context.Context, req reconcile.Request, data map[string]string) error {
	namespace, ok := client.Get[*corev1.Namespace](req.View, "namespaces", "", req.Name)
	if !ok || namespace.DeletionTimestamp != nil || namespace.Status.Phase == corev1.NamespaceTerminating {
		return nil
	}
	ref := client.Ref{Table: table, Namespace: req.Name, Name: name}
	current, exists := client.Get[*corev1.ConfigMap](req.View, table, ref.Namespace, ref.Name)
	if exists && maps.Equal(current.Data, data) && current.Annotations[descriptionName] != "" {
		return nil
	}
	wanted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name}}
	if exists {
		wanted = current.DeepCopy()
	}
	wanted.Data = data
	metav1.SetMetaDataAnnotation(&wanted.ObjectMeta, descriptionName, description)
	var err error
	if exists {
		_, err = req.Client.Update(ctx, ref, "", wanted, metav1.UpdateOptions{})
	} else {
		_, err = req.Client.Create(ctx, ref, "", wanted, metav1.CreateOptions{})
	}
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return fmt.Errorf("publish the root certificate: %w", err)
}
