package core

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Namespace is the row of namespaces.
//
// A namespace leaves when spec.finalizers is empty, which only the finalize subresource can change. Deleting one, which
// the API server does, sets its deletionTimestamp and the phase Terminating; the namespace controller does the rest.
func Namespace() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "namespaces", Singular: "namespace", Kind: "Namespace", ShortNames: []string{"ns"},
		Verbs:                    []string{"create", "delete", "get", "list", "patch", "update", "watch"},
		New:                      func() resource.Object { return &corev1.Namespace{} },
		NewList:                  func() runtime.Object { return &corev1.NamespaceList{} },
		Default:                  resource.Do(defaultNamespace),
		PrepareCreate:            resource.Do(createNamespace),
		PrepareUpdate:            resource.Do2(updateNamespace),
		Validate:                 resource.Typed(validateNamespace),
		ValidateUpdate:           resource.Typed2(func(namespace, _ *corev1.Namespace) field.ErrorList { return validateNamespace(namespace) }),
		ValidateName:             validation.ValidateNamespaceName,
		AllowUnconditionalUpdate: true,
		Reset:                    map[string][]string{"finalize": {"status"}},
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate:  resource.Do2(func(namespace, old *corev1.Namespace) { namespace.Spec = *old.Spec.DeepCopy() }),
			ValidateUpdate: resource.Typed2(validateNamespaceStatus),
		},
		Subresources: []resource.Subresource{{
			Name: "finalize", NoTables: true, Verbs: []string{"update"},
			PrepareUpdate:  resource.Do2(func(namespace, old *corev1.Namespace) { namespace.Status = *old.Status.DeepCopy() }),
			ValidateUpdate: resource.Typed2(validateNamespaceFinalize),
		}},
		Columns: []resource.Column{meta.Name(), meta.Column("Status", "The status of the namespace"), meta.Age()},
		Row: resource.Typed(func(namespace *corev1.Namespace) []any {
			return []any{namespace.Name, string(namespace.Status.Phase), meta.Since(namespace.CreationTimestamp)}
		}),
		Fields: resource.Typed(func(namespace *corev1.Namespace) fields.Set {
			return fields.Set{"status.phase": string(namespace.Status.Phase)}
		}),
		FieldLabels: []string{"status.phase"},
	}
}

func defaultNamespace(namespace *corev1.Namespace) {
	if namespace.Name != "" {
		labelNamespace(namespace)
	}
	if namespace.Status.Phase == "" {
		namespace.Status.Phase = corev1.NamespaceActive
	}
}

// labelNamespace lets selectors find a namespace by name (KEP-2161). A generated name is not known before PrepareCreate.
func labelNamespace(namespace *corev1.Namespace) {
	metav1.SetMetaDataLabel(&namespace.ObjectMeta, corev1.LabelMetadataName, namespace.Name)
}

func createNamespace(namespace *corev1.Namespace) {
	if len(utilvalidation.IsValidLabelValue(namespace.Name)) == 0 { // else the generated name alone is refused
		labelNamespace(namespace)
	}
	namespace.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	for _, finalizer := range namespace.Spec.Finalizers {
		if finalizer == corev1.FinalizerKubernetes {
			return
		}
	}
	namespace.Spec.Finalizers = append(namespace.Spec.Finalizers, corev1.FinalizerKubernetes)
}

func updateNamespace(namespace, old *corev1.Namespace) {
	labelNamespace(namespace)
	namespace.Spec = *old.Spec.DeepCopy()
	namespace.Status = *old.Status.DeepCopy()
}

func validateNamespace(namespace *corev1.Namespace) field.ErrorList {
	var errs field.ErrorList
	for _, finalizer := range namespace.Spec.Finalizers {
		errs = append(errs, validateNamespaceFinalizer(field.NewPath("spec", "finalizers"), finalizer)...)
	}
	return errs
}

func validateNamespaceFinalize(namespace, _ *corev1.Namespace) field.ErrorList {
	var errs field.ErrorList
	for i, finalizer := range namespace.Spec.Finalizers {
		errs = append(errs, validateNamespaceFinalizer(field.NewPath("spec", "finalizers").Index(i), finalizer)...)
	}
	return errs
}

func validateNamespaceFinalizer(path *field.Path, finalizer corev1.FinalizerName) field.ErrorList {
	errs := validation.ValidateFinalizerName(string(finalizer), path)
	return append(errs, meta.KnownFinalizer(path, string(finalizer))...)
}

func validateNamespaceStatus(namespace, _ *corev1.Namespace) field.ErrorList {
	phase, path := namespace.Status.Phase, field.NewPath("status", "Phase")
	if namespace.DeletionTimestamp.IsZero() && phase != corev1.NamespaceActive {
		return field.ErrorList{field.Invalid(path, phase, "may only be 'Active' if `deletionTimestamp` is empty")}
	}
	if !namespace.DeletionTimestamp.IsZero() && phase != corev1.NamespaceTerminating {
		return field.ErrorList{field.Invalid(path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")}
	}
	return nil
}
