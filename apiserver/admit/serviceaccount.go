package admit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	defaultAccount  = "default"
	tokenVolume     = "kube-api-access-"
	tokenMountPath  = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenSeconds    = 60*60 + 7 // the seven seconds tell this volume's tokens from those that a user asked for
	suffixAlphabet  = "bcdfghjklmnpqrstvwxz2456789"
	mirrorPodMarker = corev1.MirrorPodAnnotationKey
)

// podCreate is the pod of a write that creates one, or nil.
func podCreate(a *Attributes) *corev1.Pod {
	if a.Operation != Create || !a.Is("pods") {
		return nil
	}
	pod, _ := a.Object.(*corev1.Pod)
	return pod
}

// serviceAccount gives every pod an account, and mounts the account's token.
func serviceAccount(_ context.Context, a *Attributes) error {
	pod := podCreate(a)
	if pod == nil || isMirror(pod) {
		return nil
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = defaultAccount
		pod.Spec.DeprecatedServiceAccount = defaultAccount
	}
	account, err := accountOf(a, pod)
	if err != nil {
		return err
	}
	if automount(account, pod) {
		mountToken(pod)
	}
	if len(pod.Spec.ImagePullSecrets) == 0 {
		for _, secret := range account.ImagePullSecrets {
			pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret.Name})
		}
	}
	return nil
}

func isMirror(pod *corev1.Pod) bool {
	_, ok := pod.Annotations[mirrorPodMarker]
	return ok
}

func accountOf(a *Attributes, pod *corev1.Pod) (*corev1.ServiceAccount, error) {
	name := pod.Spec.ServiceAccountName
	account, ok := lookup[*corev1.ServiceAccount](a, "serviceaccounts", a.Namespace, name)
	if !ok {
		missing := apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccount"}, name)
		return nil, Forbidden(a, fmt.Errorf("error looking up service account %s/%s: %w", a.Namespace, name, missing))
	}
	return account, nil
}

func automount(account *corev1.ServiceAccount, pod *corev1.Pod) bool {
	switch {
	case pod.Spec.AutomountServiceAccountToken != nil:
		return *pod.Spec.AutomountServiceAccountToken
	case account.AutomountServiceAccountToken != nil:
		return *account.AutomountServiceAccountToken
	}
	return true
}

// mountToken gives every container that mounts nothing there the volume with token, root certificate and namespace.
func mountToken(pod *corev1.Pod) {
	name, found := "", false
	for _, v := range pod.Spec.Volumes {
		if strings.HasPrefix(v.Name, tokenVolume) {
			name, found = v.Name, true
			break
		}
	}
	if !found {
		name = tokenVolume + suffix()
	}
	mounted := false
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			if !mounts(&containers[i], tokenMountPath) {
				mount := corev1.VolumeMount{Name: name, ReadOnly: true, MountPath: tokenMountPath}
				containers[i].VolumeMounts = append(containers[i].VolumeMounts, mount)
				mounted = true
			}
		}
	}
	if mounted && !found {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name,
			VolumeSource: corev1.VolumeSource{Projected: tokenSources()}})
	}
}

func mounts(c *corev1.Container, path string) bool {
	for _, m := range c.VolumeMounts {
		if m.MountPath == path {
			return true
		}
	}
	return false
}

func tokenSources() *corev1.ProjectedVolumeSource {
	mode, seconds := corev1.ProjectedVolumeSourceDefaultMode, int64(tokenSeconds)
	return &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &seconds}},
		{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
			Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
		{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace",
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}},
	}}
}

func suffix() string {
	b := make([]byte, 5)
	for i := range b {
		b[i] = suffixAlphabet[rand.IntN(len(suffixAlphabet))]
	}
	return string(b)
}

// checkServiceAccount refuses pods without an account, and mirror pods that would need one.
func checkServiceAccount(_ context.Context, a *Attributes) error {
	pod := podCreate(a)
	if pod == nil {
		return nil
	}
	if !isMirror(pod) {
		if pod.Spec.ServiceAccountName == "" {
			return Forbidden(a, fmt.Errorf("no service account specified for pod %s/%s", a.Namespace, pod.Name))
		}
		_, err := accountOf(a, pod)
		return err
	}
	if pod.Spec.ServiceAccountName != "" {
		return Forbidden(a, errors.New("a mirror pod may not reference service accounts"))
	}
	for _, v := range pod.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			if source.ServiceAccountToken != nil {
				return Forbidden(a, errors.New("a mirror pod may not use ServiceAccountToken volume projections"))
			}
		}
	}
	if podUsesSecrets(pod) {
		return Forbidden(a, errors.New("a mirror pod may not reference secrets"))
	}
	return nil
}
