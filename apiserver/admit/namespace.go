package admit

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// immortal namespaces hold what the cluster cannot be without.
var immortal = map[string]bool{"default": true, "kube-system": true, "kube-public": true}

// namespaceLifecycle keeps objects out of namespaces that are not there or on their way out.
func namespaceLifecycle(_ context.Context, a *Attributes) error {
	if a.Resource.Table() == "namespaces" {
		if a.Operation == Delete && immortal[a.Name] {
			return Forbidden(a, errors.New("this namespace may not be deleted"))
		}
		return nil
	}
	if a.Namespace == "" || !a.Resource.Namespaced || a.Operation == Delete {
		return nil
	}
	if a.Resource.Table() == "localsubjectaccessreviews.authorization.k8s.io" {
		return nil // who asks what they may do is told nothing of the namespace, not even whether there is one
	}
	namespace, ok := lookup[*corev1.Namespace](a, "namespaces", "", a.Namespace)
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, a.Namespace)
	}
	if a.Operation != Create || namespace.Status.Phase != corev1.NamespaceTerminating {
		return nil
	}
	err := Forbidden(a, fmt.Errorf("unable to create new content in namespace %s because it is being terminated", a.Namespace))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause,
		Message: fmt.Sprintf("namespace %s is being terminated", a.Namespace), Field: "metadata.namespace"})
	return err
}
