package admit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"proa/kinds/resource"
)

// podSecurity holds pods against the level that the labels of their namespace name, and warns of templates of such pods
// (KEP-2579). A namespace without labels allows everything and costs a look at it.
type podSecurity struct {
	evaluator func() (policy.Evaluator, error) // its checks are made when the first namespace wants them
}

func newPodSecurity() *podSecurity {
	return &podSecurity{evaluator: sync.OnceValues(func() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks(), nil) })}
}

// anything is the level of namespaces that name none.
var anything = api.Policy{
	Enforce: api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()},
	Audit:   api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()},
	Warn:    api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()},
}

// unsecured are the subresources of pods that leave their spec alone.
var unsecured = []string{"exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"}

func (s *podSecurity) check(_ context.Context, a *Attributes) error {
	if a.Object == nil || a.Operation != Create && a.Operation != Update {
		return nil
	}
	switch obj := a.Object.(type) {
	case *corev1.Namespace:
		if a.Subresource == "" {
			return s.checkNamespace(a, obj)
		}
	case *corev1.Pod:
		if !slices.Contains(unsecured, a.Subresource) {
			return s.checkPod(a, obj)
		}
	default:
		if metadata, spec := template(a.Object); spec != nil && a.Subresource == "" {
			return s.checkTemplate(a, metadata, spec)
		}
	}
	return nil
}

// template is the pod that a workload makes; nil if it makes none.
func template(obj resource.Object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	var t *corev1.PodTemplateSpec
	switch o := obj.(type) {
	case *corev1.PodTemplate:
		t = &o.Template
	case *corev1.ReplicationController:
		t = o.Spec.Template
	case *appsv1.ReplicaSet:
		t = &o.Spec.Template
	case *appsv1.Deployment:
		t = &o.Spec.Template
	case *appsv1.DaemonSet:
		t = &o.Spec.Template
	case *appsv1.StatefulSet:
		t = &o.Spec.Template
	case *batchv1.Job:
		t = &o.Spec.Template
	case *batchv1.CronJob:
		t = &o.Spec.JobTemplate.Spec.Template
	}
	if t == nil {
		return nil, nil
	}
	return &t.ObjectMeta, &t.Spec
}

// checkPod refuses a pod that the level does not allow. What an update leaves as it was is not judged again.
func (s *podSecurity) checkPod(a *Attributes, pod *corev1.Pod) error {
	old, _ := a.Old.(*corev1.Pod)
	if old != nil && !changesImages(pod, old) {
		return nil
	}
	level, err := s.levelOf(a)
	if err != nil {
		return err
	}
	if level.FullyPrivileged() {
		return nil
	}
	result, err := s.evaluate(level.Enforce, &pod.ObjectMeta, &pod.Spec)
	if err != nil {
		return err
	}
	a.Annotate("pod-security.kubernetes.io/"+api.EnforcedPolicyAnnotationKey, level.Enforce.String())
	if err := s.tell(a, level, &pod.ObjectMeta, &pod.Spec, result.Allowed); err != nil {
		return err
	}
	if !result.Allowed {
		return Forbidden(a, fmt.Errorf("violates PodSecurity %q: %s", level.Enforce.String(), result.ForbiddenDetail()))
	}
	return nil
}

func (s *podSecurity) checkTemplate(a *Attributes, metadata *metav1.ObjectMeta, spec *corev1.PodSpec) error {
	level, err := s.levelOf(a)
	if err != nil || level.Warn.Level == api.LevelPrivileged && level.Audit.Level == api.LevelPrivileged {
		return err
	}
	return s.tell(a, level, metadata, spec, true)
}

// tell tells the audit and, unless the write is refused anyway, the user what the level would not allow.
func (s *podSecurity) tell(a *Attributes, level api.Policy, metadata *metav1.ObjectMeta, spec *corev1.PodSpec, warn bool) error {
	result, err := s.evaluate(level.Audit, metadata, spec)
	if err != nil {
		return err
	}
	would := func(v api.LevelVersion, r policy.AggregateCheckResult) string {
		return fmt.Sprintf("would violate PodSecurity %q: %s", v.String(), r.ForbiddenDetail())
	}
	if !result.Allowed {
		a.Annotate("pod-security.kubernetes.io/"+api.AuditViolationsAnnotationKey, would(level.Audit, result))
	}
	if !warn {
		return nil
	}
	if result, err = s.evaluate(level.Warn, metadata, spec); err == nil && !result.Allowed {
		a.Warn(would(level.Warn, result))
	}
	return err
}

func (s *podSecurity) evaluate(v api.LevelVersion, metadata *metav1.ObjectMeta, spec *corev1.PodSpec) (policy.AggregateCheckResult, error) {
	evaluator, err := s.evaluator()
	if err != nil {
		return policy.AggregateCheckResult{}, fmt.Errorf("make checks of pod security: %w", err)
	}
	return policy.AggregateCheckResults(evaluator.EvaluatePod(v, metadata, spec)), nil
}

// levelOf reads the labels of the write's namespace. Labels that cannot be read mean the strictest level, as the library has it.
func (s *podSecurity) levelOf(a *Attributes) (api.Policy, error) {
	namespace, ok := lookup[*corev1.Namespace](a, "namespaces", "", a.Namespace)
	if !ok {
		return api.Policy{}, apierrors.NewInternalError(fmt.Errorf("failed to lookup namespace %q", a.Namespace))
	}
	level, errs := api.PolicyToEvaluate(namespace.Labels, anything)
	if len(errs) > 0 {
		a.Annotate("pod-security.kubernetes.io/error", fmt.Sprintf("Failed to parse policy: %v", errs.ToAggregate()))
	}
	return level, nil
}

// changesImages says whether an update runs something else: of what may change in a pod, only that is judged.
func changesImages(pod, old *corev1.Pod) bool {
	return !maps.Equal(images(pod), images(old))
}

// images are the images of a pod's containers, by kind and name.
func images(pod *corev1.Pod) map[string]string {
	all := map[string]string{}
	for i, c := range pod.Spec.Containers {
		all[fmt.Sprint("container ", i)] = c.Image
	}
	for i, c := range pod.Spec.InitContainers {
		all[fmt.Sprint("init container ", i)] = c.Image
	}
	for _, c := range pod.Spec.EphemeralContainers {
		all["ephemeral container "+c.Name] = c.Image
	}
	return all
}
