package admit

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// podUsesSecrets finds any reference to a secret anywhere in the pod's spec, including in fields that the API gains later:
// it walks the Go types, so that no list of places has to be kept.
func podUsesSecrets(pod *corev1.Pod) bool { return hasSecret(reflect.ValueOf(&pod.Spec), "") }

var (
	secretVolume = reflect.TypeOf(corev1.SecretVolumeSource{})
	secretKey    = reflect.TypeOf(corev1.SecretKeySelector{})
	secretEnv    = reflect.TypeOf(corev1.SecretEnvSource{})
	secretProj   = reflect.TypeOf(corev1.SecretProjection{})
	secretRef    = reflect.TypeOf(corev1.SecretReference{})
	localRef     = reflect.TypeOf(corev1.LocalObjectReference{})
)

func hasSecret(v reflect.Value, field string) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && hasSecret(v.Elem(), field)
	case reflect.Slice:
		for i := range v.Len() {
			if hasSecret(v.Index(i), field) {
				return true
			}
		}
	case reflect.Struct:
		switch v.Type() {
		case secretVolume, secretKey, secretEnv, secretProj, secretRef:
			return true
		case localRef:
			return strings.Contains(strings.ToLower(field), "secret")
		}
		for i := range v.NumField() {
			if hasSecret(v.Field(i), v.Type().Field(i).Name) {
				return true
			}
		}
	}
	return false
}
