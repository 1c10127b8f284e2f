package podspec

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// updatable lists what an update of a pod may change, as users are told it.
const updatable = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
	"`spec.tolerations` (only additions to existing tolerations)," +
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

// ValidatePodUpdate says what is wrong with a changed pod, but for its metadata in general.
func ValidatePodUpdate(pod, old *corev1.Pod) field.ErrorList {
	c := checkPod(pod)
	c.checkKeptAnnotations(field.NewPath("metadata", "annotations"), pod.Annotations, old.Annotations)
	path := field.NewPath("spec")
	if !c.checkSameContainers(path.Child("containers"), pod.Spec.Containers, old.Spec.Containers) ||
		!c.checkSameContainers(path.Child("initContainers"), pod.Spec.InitContainers, old.Spec.InitContainers) ||
		!c.checkDeadlineUpdate(path.Child("activeDeadlineSeconds"), pod.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds) {
		return c.errs
	}
	c.checkAddedTolerations(path.Child("tolerations"), pod.Spec.Tolerations, old.Spec.Tolerations)
	c.checkDeletedGates(path.Child("schedulingGates"), pod.Spec.SchedulingGates, old.Spec.SchedulingGates)
	if len(old.Spec.SchedulingGates) > 0 && SameSpec(&pod.Spec, &old.Spec) {
		return c.errs // nothing is narrowed
	}
	rest := c.withoutUpdatable(path, pod, old)
	if !SameSpec(rest, &old.Spec) {
		c.forbidden(path, fmt.Sprintf("pod updates may not change fields other than %s\n%v", updatable, diff.Diff(old.Spec, *rest)))
	}
	return c.errs
}

// SameSpec says whether two specs mean the same. Specs of the same bytes do, and to compare those is ten times as quick; those with
// other images, which is most of what is changed, do not.
func SameSpec(a, b *corev1.PodSpec) bool {
	if len(a.Containers) != len(b.Containers) {
		return false
	}
	for i := range a.Containers {
		if a.Containers[i].Image != b.Containers[i].Image {
			return false
		}
	}
	if n := a.Size(); n == b.Size() {
		buffer := make([]byte, 2*n)
		x, y := buffer[:n], buffer[n:]
		_, err := a.MarshalToSizedBuffer(x)
		_, other := b.MarshalToSizedBuffer(y)
		if err == nil && other == nil && bytes.Equal(x, y) {
			return true
		}
	}
	return equality.Semantic.DeepEqual(a, b)
}

// checkKeptAnnotations: AppArmor profiles and the mark of a mirror pod are there from the start or never.
func (c *checker) checkKeptAnnotations(path *field.Path, annotations, old map[string]string) {
	for _, key := range meta.Sorted(old) {
		if value, ok := annotations[key]; ok && value == old[key] {
			continue
		}
		c.forbidIf(strings.HasPrefix(key, appArmorOf), path.Key(key), "may not remove or update AppArmor annotations")
		c.forbidIf(key == corev1.MirrorPodAnnotationKey, path.Key(key), "may not remove or update mirror pod annotation")
	}
	for _, key := range meta.Sorted(annotations) {
		if _, ok := old[key]; ok {
			continue
		}
		c.forbidIf(strings.HasPrefix(key, appArmorOf), path.Key(key), "may not add AppArmor annotations")
		c.forbidIf(key == corev1.MirrorPodAnnotationKey, path.Key(key), "may not add mirror pod annotation")
	}
	c.checkAnnotations(path, annotations)
}

func (c *checker) checkSameContainers(path *field.Path, containers, old []corev1.Container) bool {
	if len(containers) != len(old) {
		c.forbidden(path, "pod updates may not add or remove containers")
		return false
	}
	for i := range containers {
		c.notEmpty(path.Index(i).Child("image"), containers[i].Image)
		c.checkImageTrimmed(path.Index(i), containers[i].Image)
	}
	return true
}

// checkDeadlineUpdate: a deadline may come nearer, not go away. False means that no further rule is looked at.
func (c *checker) checkDeadlineUpdate(path *field.Path, deadline, old *int64) bool {
	switch {
	case deadline == nil && old == nil:
	case deadline == nil:
		c.invalid(path, deadline, "must not update from a positive integer to nil value")
	case *deadline < 0 || *deadline > math.MaxInt32:
		c.invalid(path, *deadline, utilvalidation.InclusiveRangeError(0, math.MaxInt32))
		return false
	case old != nil && *old < *deadline:
		c.invalid(path, *deadline, "must be less than or equal to previous value")
		return false
	}
	return true
}

func (c *checker) checkAddedTolerations(path *field.Path, tolerations, old []corev1.Toleration) {
	for _, before := range old {
		kept := false
		for _, now := range tolerations {
			before.TolerationSeconds = now.TolerationSeconds
			kept = kept || equality.Semantic.DeepEqual(before, now)
		}
		if !kept {
			c.forbidden(path, "existing toleration can not be modified except its tolerationSeconds")
			return
		}
	}
	c.checkTolerations(path, tolerations)
}

func (c *checker) checkDeletedGates(path *field.Path, gates, old []corev1.PodSchedulingGate) {
	added := map[string]int{} // name -> where it stands last
	for i, gate := range gates {
		added[gate.Name] = i
	}
	for _, gate := range old {
		delete(added, gate.Name)
	}
	for _, name := range meta.Sorted(added) {
		c.forbidden(path.Index(added[name]).Child("name"), fmt.Sprintf("only deletion is allowed, but found new scheduling gate '%s'", name))
	}
}

// withoutUpdatable is the new spec with every change taken back that an update may make.
func (c *checker) withoutUpdatable(path *field.Path, pod, old *corev1.Pod) *corev1.PodSpec {
	before, copied := &old.Spec, pod.Spec
	rest := &copied
	if len(before.SchedulingGates) > 0 { // then more is taken back below
		rest, before = pod.Spec.DeepCopy(), old.Spec.DeepCopy()
	}
	rest.Containers, rest.InitContainers = slices.Clone(rest.Containers), slices.Clone(rest.InitContainers)
	for i := range rest.Containers {
		rest.Containers[i].Image = before.Containers[i].Image
	}
	for i := range rest.InitContainers {
		rest.InitContainers[i].Image = before.InitContainers[i].Image
	}
	rest.ActiveDeadlineSeconds = before.ActiveDeadlineSeconds
	rest.SchedulingGates = before.SchedulingGates
	rest.Tolerations = before.Tolerations
	if now, was := rest.TerminationGracePeriodSeconds, before.TerminationGracePeriodSeconds; now != nil && was != nil && *was < 0 && *now == 1 {
		rest.TerminationGracePeriodSeconds = was
	}
	if len(before.SchedulingGates) > 0 {
		c.takeBackDirectives(path, rest, before)
	}
	return rest
}

// takeBackDirectives: while a pod is gated, where it may run can still be narrowed (KEP-3838).
func (c *checker) takeBackDirectives(path *field.Path, rest, old *corev1.PodSpec) {
	if !equality.Semantic.DeepEqual(rest.NodeSelector, old.NodeSelector) {
		for key, value := range old.NodeSelector {
			if now, ok := rest.NodeSelector[key]; !ok || now != value {
				c.invalid(path.Child("nodeSelector"), rest.NodeSelector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)")
				break
			}
		}
		rest.NodeSelector = old.NodeSelector
	}
	before, now := nodeAffinity(old), nodeAffinity(rest)
	if equality.Semantic.DeepEqual(before, now) {
		return
	}
	c.checkNarrowedAffinity(path.Child("affinity", "nodeAffinity", requiredTerms, "nodeSelectorTerms"), requiredNodeTerms(now), requiredNodeTerms(before))
	switch {
	case rest.Affinity == nil:
		rest.Affinity = &corev1.Affinity{NodeAffinity: before}
	case old.Affinity == nil && rest.Affinity.PodAffinity == nil && rest.Affinity.PodAntiAffinity == nil:
		rest.Affinity = nil
	default:
		rest.Affinity.NodeAffinity = before
	}
}

func nodeAffinity(spec *corev1.PodSpec) *corev1.NodeAffinity {
	if spec.Affinity == nil {
		return nil
	}
	return spec.Affinity.NodeAffinity
}

func requiredNodeTerms(n *corev1.NodeAffinity) []corev1.NodeSelectorTerm {
	if n == nil || n.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return n.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

func (c *checker) checkNarrowedAffinity(path *field.Path, terms, old []corev1.NodeSelectorTerm) {
	if len(old) == 0 {
		return
	}
	if len(old) != len(terms) {
		c.invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
		return
	}
	for i := range old {
		matchesNothing := len(old[i].MatchExpressions)+len(old[i].MatchFields) == 0 && len(terms[i].MatchExpressions)+len(terms[i].MatchFields) > 0
		if matchesNothing || !startsWith(terms[i].MatchExpressions, old[i].MatchExpressions) || !startsWith(terms[i].MatchFields, old[i].MatchFields) {
			c.invalid(path.Index(i), terms[i], "only additions are allowed (no mutations or deletions)")
		}
	}
}

func startsWith(list, start []corev1.NodeSelectorRequirement) bool {
	return len(list) >= len(start) && (len(start) == 0 || equality.Semantic.DeepEqual(list[:len(start)], start))
}

// ValidateEphemeralContainersUpdate says what is wrong with a pod that was given containers for debugging: they can be
// added, never changed or removed.
func ValidateEphemeralContainersUpdate(pod, old *corev1.Pod) field.ErrorList {
	if _, mirror := old.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return field.ErrorList{field.Forbidden(field.NewPath(""), "static pods do not support ephemeral containers")}
	}
	c := checkPod(pod)
	c.checkKeptAnnotations(field.NewPath("metadata", "annotations"), pod.Annotations, old.Annotations)
	path := field.NewPath("spec", "ephemeralContainers")
	now := map[string]*corev1.EphemeralContainer{}
	for i := range pod.Spec.EphemeralContainers {
		now[pod.Spec.EphemeralContainers[i].Name] = &pod.Spec.EphemeralContainers[i]
	}
	for _, before := range old.Spec.EphemeralContainers {
		container := now[before.Name]
		switch {
		case container == nil:
			c.forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", before.Name))
		case !equality.Semantic.DeepEqual(before, *container):
			c.forbidden(path, fmt.Sprintf("existing ephemeral containers %q may not be changed\n%v", before.Name, diff.Diff(before, *container)))
		}
	}
	return c.errs
}
