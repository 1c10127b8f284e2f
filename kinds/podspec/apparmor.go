package podspec

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// SyncAppArmor writes profiles that a pod names by the old annotation into the fields that replaced it.
func SyncAppArmor(pod *corev1.Pod) {
	if pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows {
		return
	}
	var ofPod *corev1.AppArmorProfile
	if pod.Spec.SecurityContext != nil {
		ofPod = pod.Spec.SecurityContext.AppArmorProfile
	}
	for c := range Containers(&pod.Spec) {
		annotation, ok := pod.Annotations[appArmorOf+c.Name]
		if !ok || c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil {
			continue
		}
		profile := readAppArmor(annotation)
		if profile == nil || equality.Semantic.DeepEqual(profile, ofPod) {
			continue
		}
		if c.SecurityContext == nil {
			c.SecurityContext = &corev1.SecurityContext{}
		}
		c.SecurityContext.AppArmorProfile = profile
	}
}

// readAppArmor reads the annotation's value; what it cannot read is nil, and stays an annotation only.
func readAppArmor(annotation string) *corev1.AppArmorProfile {
	switch annotation {
	case appArmorOff:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
	case appArmorDefault:
		return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	}
	name, local := strings.CutPrefix(annotation, appArmorLocal)
	if !local || strings.TrimSpace(name) != name || name == "" || len(name) > maxLocalProfileLength {
		return nil
	}
	return &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: &name}
}

// maxLocalProfileLength is what the kernel interface and upstream's annotation allow.
const maxLocalProfileLength = 4095
