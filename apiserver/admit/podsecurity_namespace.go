package admit

import (
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/pod-security-admission/api"
)

// mostPodsChecked bounds what a stricter level costs the one who sets it.
const mostPodsChecked = 3000

// checkNamespace wants labels that name a level, and tells who makes one stricter which pods it would not allow.
func (s *podSecurity) checkNamespace(a *Attributes, namespace *corev1.Namespace) error {
	level, errs := api.PolicyToEvaluate(namespace.Labels, anything)
	old, _ := a.Old.(*corev1.Namespace)
	if old == nil {
		if len(errs) > 0 {
			return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind(), namespace.Name, errs)
		}
		return nil
	}
	before, oldErrs := api.PolicyToEvaluate(old.Labels, anything)
	if len(errs) > 0 && !reflect.DeepEqual(errs, oldErrs) {
		return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Namespace").GroupKind(), namespace.Name, errs)
	}
	now, was := level.Enforce, before.Enforce
	if now == was || now.Level == api.LevelPrivileged || now.Version == was.Version && api.CompareLevels(now.Level, was.Level) < 1 {
		return nil
	}
	return s.warnOfPods(a, namespace.Name, now)
}

// warnOfPods names the pods that the new level would not allow: for each reason the first, and how many others.
func (s *podSecurity) warnOfPods(a *Attributes, namespace string, level api.LevelVersion) error {
	pods := onePerController(slices.Collect(all[*corev1.Pod](a, "pods", namespace)))
	total := len(pods)
	pods = pods[:min(total, mostPodsChecked)]
	first, count := map[string]string{}, map[string]int{}
	for _, pod := range pods {
		result, err := s.evaluate(level, &pod.ObjectMeta, &pod.Spec)
		if err != nil {
			return err
		}
		if result.Allowed {
			continue
		}
		reason := result.ForbiddenReason()
		if count[reason]++; count[reason] == 1 || pod.Name < first[reason] {
			first[reason] = pod.Name
		}
	}
	if len(pods) < total {
		a.Warn(fmt.Sprintf("new PodSecurity enforce level only checked against the first %d of %d existing pods", len(pods), total))
	}
	if len(count) > 0 {
		a.Warn(fmt.Sprintf("existing pods in namespace %q violate the new PodSecurity enforce level %q", namespace, level.String()))
	}
	var texts []string
	for reason, n := range count {
		who := first[reason]
		switch {
		case n == 2:
			who += " (and 1 other pod)"
		case n > 2:
			who += fmt.Sprintf(" (and %d other pods)", n-1)
		}
		texts = append(texts, who+": "+reason)
	}
	slices.Sort(texts)
	for _, text := range texts {
		a.Warn(text)
	}
	return nil
}

// onePerController puts the pods first that differ: of each controller one.
func onePerController(pods []*corev1.Pod) []*corev1.Pod {
	var first, rest []*corev1.Pod
	seen := map[types.UID]bool{}
	for _, pod := range pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner != nil && seen[owner.UID] {
			rest = append(rest, pod)
			continue
		}
		if owner != nil {
			seen[owner.UID] = true
		}
		first = append(first, pod)
	}
	return append(first, rest...)
}
