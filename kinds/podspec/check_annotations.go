package podspec

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// Annotations that the API gives a meaning.
const (
	deletionCost    = "controller.kubernetes.io/pod-deletion-cost"
	seccompPod      = corev1.SeccompPodAnnotationKey
	seccompOf       = corev1.SeccompContainerAnnotationKeyPrefix
	appArmorOf      = corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix
	appArmorDefault = corev1.DeprecatedAppArmorBetaProfileRuntimeDefault
	appArmorOff     = corev1.DeprecatedAppArmorBetaProfileNameUnconfined
	appArmorLocal   = corev1.DeprecatedAppArmorBetaProfileNamePrefix
	seccompOff      = corev1.SeccompProfileNameUnconfined
	seccompDefault  = corev1.SeccompProfileRuntimeDefault
	seccompDocker   = corev1.DeprecatedSeccompProfileDockerDefault
	seccompLocal    = corev1.SeccompLocalhostProfileNamePrefix
)

// checkAnnotations holds the rules for annotations that the API gives a meaning.
func (c *checker) checkAnnotations(path *field.Path, annotations map[string]string) {
	if value, ok := annotations[corev1.MirrorPodAnnotationKey]; ok && c.spec.NodeName == "" {
		c.invalid(path.Key(corev1.MirrorPodAnnotationKey), value, "must set spec.nodeName if mirror pod annotation is set")
	}
	if _, err := DeletionCost(annotations); err != nil {
		c.invalid(path.Key(deletionCost), annotations[deletionCost], "must be a 32bit integer")
	}
	if profile, ok := annotations[seccompPod]; ok {
		c.checkSeccompAnnotation(path.Child(seccompPod), profile)
	}
	for _, key := range meta.Sorted(annotations) {
		if strings.HasPrefix(key, seccompOf) {
			c.checkSeccompAnnotation(path.Child(key), annotations[key])
		}
		container, ok := strings.CutPrefix(key, appArmorOf)
		if !ok {
			continue
		}
		if found, _ := FindContainer(c.spec, container); found == nil {
			c.invalid(path.Key(key), container, "container not found")
		}
		if p := annotations[key]; p != "" && p != appArmorDefault && p != appArmorOff && !strings.HasPrefix(p, appArmorLocal) {
			c.invalid(path.Key(key), p, fmt.Sprintf("invalid AppArmor profile name: %q", p))
		}
	}
}

// DeletionCost is how much a pod would be missed, as its annotations say; 0 if they do not. Replica sets remove the
// cheapest first. Upstream takes no plus sign and no leading zeros.
func DeletionCost(annotations map[string]string) (int32, error) {
	text, ok := annotations[deletionCost]
	if !ok {
		return 0, nil
	}
	digits := strings.TrimPrefix(text, "-")
	if strings.HasPrefix(text, "+") || len(digits) > 1 && digits[0] == '0' {
		return 0, fmt.Errorf("read pod deletion cost: invalid value %q", text)
	}
	cost, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read pod deletion cost: %w", err)
	}
	return int32(cost), nil
}

func (c *checker) checkSeccompAnnotation(path *field.Path, profile string) {
	if local, ok := strings.CutPrefix(profile, seccompLocal); ok {
		c.checkDescending(path, local)
		return
	}
	if profile != seccompDefault && profile != seccompDocker && profile != seccompOff {
		c.invalid(path, profile, "must be a valid seccomp profile")
	}
}

// checkProfilesMatch: where the old annotation and the field that replaced it are both given, they agree.
func (c *checker) checkProfilesMatch(path *field.Path, object *metav1.ObjectMeta) {
	s := c.spec.SecurityContext
	if s != nil {
		c.matchSeccomp(path.Child("securityContext", "seccompProfile"), s.SeccompProfile, object.Annotations, seccompPod)
	}
	all := c.containers(path)
	for _, container := range all {
		if own := container.SecurityContext; own != nil {
			c.matchSeccomp(container.path.Child("securityContext", "seccompProfile"), own.SeccompProfile, object.Annotations, seccompOf+container.Name)
		}
	}
	if c.spec.OS != nil && c.spec.OS.Name == corev1.Windows {
		return
	}
	for _, container := range all {
		profile := (*corev1.AppArmorProfile)(nil)
		if s != nil {
			profile = s.AppArmorProfile
		}
		if own := container.SecurityContext; own != nil && own.AppArmorProfile != nil {
			profile = own.AppArmorProfile
		}
		c.matchAppArmor(container.path.Child("securityContext", "appArmorProfile"), profile, object.Annotations, appArmorOf+container.Name)
	}
}

func (c *checker) matchSeccomp(path *field.Path, profile *corev1.SeccompProfile, annotations map[string]string, key string) {
	annotation, ok := annotations[key]
	if !ok || profile == nil {
		return
	}
	same := true
	switch profile.Type {
	case corev1.SeccompProfileTypeUnconfined:
		same = annotation == seccompOff
	case corev1.SeccompProfileTypeRuntimeDefault:
		same = annotation == seccompDefault || annotation == seccompDocker
	case corev1.SeccompProfileTypeLocalhost:
		var local string
		if local, same = strings.CutPrefix(annotation, seccompLocal); same && (profile.LocalhostProfile == nil || *profile.LocalhostProfile != local) {
			c.forbidden(path.Child("localhostProfile"), "seccomp profile in annotation and field must match")
		}
	}
	c.forbidIf(!same, path.Child("type"), "seccomp type in annotation and field must match")
}

func (c *checker) matchAppArmor(path *field.Path, profile *corev1.AppArmorProfile, annotations map[string]string, key string) {
	annotation, ok := annotations[key]
	if !ok || profile == nil {
		return
	}
	same := true
	switch profile.Type {
	case corev1.AppArmorProfileTypeUnconfined:
		same = annotation == appArmorOff
	case corev1.AppArmorProfileTypeRuntimeDefault:
		same = annotation == appArmorDefault
	case corev1.AppArmorProfileTypeLocalhost:
		var local string
		if local, same = strings.CutPrefix(annotation, appArmorLocal); same && (profile.LocalhostProfile == nil || *profile.LocalhostProfile != local) {
			c.forbidden(path.Child("localhostProfile"), "apparmor profile in annotation and field must match")
		}
	}
	c.forbidIf(!same, path.Child("type"), "apparmor type in annotation and field must match")
}
