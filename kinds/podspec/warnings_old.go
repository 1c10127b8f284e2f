package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// oldAnnotations are those of a pod that became fields, and do nothing any more.
var oldAnnotations = [...]struct{ key, text string }{
	{"scheduler.alpha.kubernetes.io/critical-pod", `non-functional in v1.16+; use the "priorityClassName" field instead`},
	{"security.alpha.kubernetes.io/sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
	{"security.alpha.kubernetes.io/unsafe-sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
}

// oldLabels warns of labels of nodes that have another name now, wherever a pod asks for one.
func (w *warner) oldLabels(path *field.Path, spec *corev1.PodSpec) {
	for _, key := range meta.Sorted(spec.NodeSelector) {
		if text := meta.OldNodeLabel(key); text != "" {
			w.warn(path.Child("nodeSelector").Key(key), "%s", text)
		}
	}
	if spec.Affinity != nil && spec.Affinity.NodeAffinity != nil {
		affinity, at := spec.Affinity.NodeAffinity, path.Child("affinity", "nodeAffinity")
		if affinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			terms := at.Child("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
			for i := range affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
				w.list = append(w.list, meta.NodeTermWarnings(terms.Index(i), &affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[i], false)...)
			}
		}
		terms := at.Child("preferredDuringSchedulingIgnoredDuringExecution")
		for i := range affinity.PreferredDuringSchedulingIgnoredDuringExecution {
			w.list = append(w.list, meta.NodeTermWarnings(terms.Index(i).Child("preference"), &affinity.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference, true)...)
		}
	}
	for i, s := range spec.TopologySpreadConstraints {
		at := path.Child("topologySpreadConstraints").Index(i)
		if text := meta.OldNodeLabel(s.TopologyKey); text != "" {
			w.warn(at.Child("topologyKey"), "%s is %s", s.TopologyKey, text)
		}
		if s.LabelSelector == nil {
			w.warn(at.Child("labelSelector"), noPod)
		}
	}
}

const noPod = "a null labelSelector results in matching no pod"

func (w *warner) emptySelectors(path *field.Path, affinity *corev1.Affinity) {
	if affinity == nil {
		return
	}
	if a := affinity.PodAffinity; a != nil {
		w.emptyTerms(path.Child("podAffinity"), a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		w.emptyTerms(path.Child("podAntiAffinity"), a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (w *warner) emptyTerms(path *field.Path, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	for i := range required {
		if required[i].LabelSelector == nil {
			w.warn(path.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i).Child("labelSelector"), noPod)
		}
	}
	for i := range preferred {
		if preferred[i].PodAffinityTerm.LabelSelector == nil {
			w.warn(path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("podAffinityTerm", "labelSelector"), noPod)
		}
	}
}

// oldProfiles warns of annotations that were profiles for seccomp and AppArmor. Pods have the latter turned into fields, so
// only templates are warned of.
func (w *warner) oldProfiles(root, path *field.Path, annotations map[string]string, spec *corev1.PodSpec) {
	if len(annotations) == 0 {
		return
	}
	const seccomp = `non-functional in v1.27+; use the "seccompProfile" field instead`
	security := spec.SecurityContext
	if _, set := annotations[corev1.SeccompPodAnnotationKey]; set && (security == nil || security.SeccompProfile == nil) {
		w.warn(path.Key(corev1.SeccompPodAnnotationKey), seccomp)
	}
	c := newChecker(spec)
	for _, container := range c.containers(nil) {
		own := container.SecurityContext
		key := corev1.SeccompContainerAnnotationKeyPrefix + container.Name
		if _, set := annotations[key]; set && (own == nil || own.SeccompProfile == nil) {
			w.warn(path.Key(key), seccomp)
		}
		key = appArmorOf + container.Name
		text, set := annotations[key]
		if root == nil || !set || own != nil && own.AppArmorProfile != nil {
			continue
		}
		if security == nil || security.AppArmorProfile == nil || !equality.Semantic.DeepEqual(security.AppArmorProfile, readAppArmor(text)) {
			w.warn(path.Key(key), `deprecated since v1.30; use the "appArmorProfile" field instead`)
		}
	}
}
