package core

import (
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// enforceMountableSecrets is the annotation that limited a pod to its service account's secrets.
const enforceMountableSecrets = "kubernetes.io/enforce-mountable-secrets"

// ServiceAccount is the row of serviceaccounts.
func ServiceAccount() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "serviceaccounts", Singular: "serviceaccount", Kind: "ServiceAccount", ShortNames: []string{"sa"},
		Namespaced:               true,
		New:                      func() resource.Object { return &corev1.ServiceAccount{} },
		NewList:                  func() runtime.Object { return &corev1.ServiceAccountList{} },
		PrepareCreate:            resource.Do(nameSecretsOnly),
		PrepareUpdate:            resource.Do2(func(account, _ *corev1.ServiceAccount) { nameSecretsOnly(account) }),
		Warnings:                 serviceAccountWarnings,
		ValidateName:             validation.ValidateServiceAccountName,
		NameLast:                 true,
		AllowUnconditionalUpdate: true,
		Subresources: []resource.Subresource{{
			Name: "token", Verbs: []string{"create"},
			Body: authenticationv1.SchemeGroupVersion.WithKind("TokenRequest"),
		}},
		Columns: meta.NameAndAge(),
		Row:     meta.NameAndAgeRow,
	}
}

// nameSecretsOnly keeps nothing of a reference but the name: the secrets are always in the account's namespace.
func nameSecretsOnly(account *corev1.ServiceAccount) {
	for i, secret := range account.Secrets {
		account.Secrets[i] = corev1.ObjectReference{Name: secret.Name}
	}
}

func serviceAccountWarnings(obj, old resource.Object) []string {
	if _, set := obj.GetAnnotations()[enforceMountableSecrets]; !set {
		return nil
	}
	if old != nil {
		if _, had := old.GetAnnotations()[enforceMountableSecrets]; had {
			return nil
		}
	}
	return []string{"metadata.annotations[" + enforceMountableSecrets +
		"]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"}
}
