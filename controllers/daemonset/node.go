package daemonset

import (
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"proa/reconcile/podcontrol"
)

// generationLabel is the label by which pods of old clusters say which template they have.
const generationLabel = "pod-template-generation"

// template is a daemon set's pod template, completed, with what is asked of it for every node.
type template struct {
	*corev1.PodTemplateSpec
	required nodeaffinity.RequiredNodeAffinity
}

func newTemplate(set *appsv1.DaemonSet) *template {
	t := set.Spec.Template.DeepCopy()
	tolerate(&t.Spec)
	return &template{t, nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: t.Spec})}
}

// tolerate adds what keeps daemon pods on nodes in trouble, and lets them start there: they are often the cure.
func tolerate(spec *corev1.PodSpec) {
	add := func(key string, effect corev1.TaintEffect) {
		t := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect}
		for i := range spec.Tolerations {
			if spec.Tolerations[i].MatchToleration(&t) {
				spec.Tolerations[i] = t
				return
			}
		}
		spec.Tolerations = append(spec.Tolerations, t)
	}
	add(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute)
	add(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule)
	add(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule)
	if spec.HostNetwork {
		add(corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule)
	}
}

// fits says whether a pod should start on the node, and whether one that is there may stay.
func (t *template) fits(node *corev1.Node) (start, stay bool) {
	if t.Spec.NodeName != "" && t.Spec.NodeName != node.Name {
		return false, false
	}
	if match, err := t.required.Match(node); err != nil || !match {
		return false, false
	}
	start, stay = true, true
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if t.tolerates(taint) {
			continue
		}
		switch taint.Effect {
		case corev1.TaintEffectNoExecute:
			return false, false
		case corev1.TaintEffectNoSchedule:
			start = false
		}
	}
	return start, stay
}

func (t *template) tolerates(taint *corev1.Taint) bool {
	return slices.ContainsFunc(t.Spec.Tolerations, func(toleration corev1.Toleration) bool {
		return toleration.ToleratesTaint(klog.Background(), taint, true)
	})
}

// pod makes a pod for a node: the scheduler places it, and may only place it there.
func (t *template) pod(set *appsv1.DaemonSet, node, hash string) *corev1.Pod {
	pod := podcontrol.New(set, kind, t.PodTemplateSpec)
	pod.Labels = maps.Clone(pod.Labels)
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	if generation, ok := templateGeneration(set); ok {
		pod.Labels[generationLabel] = strconv.FormatInt(generation, 10)
	}
	pod.Labels[hashLabel] = hash
	pin(&pod.Spec, node)
	return pod
}

// pin replaces the terms of the required node affinity, which the node fits, by its name.
func pin(spec *corev1.PodSpec, node string) {
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
			Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
		}}}},
	}
}

// nodeOf is the node that a pod is on or pinned to, "" if that cannot be told.
func nodeOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, r := range term.MatchFields {
			if r.Key == metav1.ObjectNameField && r.Operator == corev1.NodeSelectorOpIn && len(r.Values) == 1 {
				return r.Values[0]
			}
		}
	}
	return ""
}

// templateGeneration is how often the template has changed; ok is false when the set does not say.
func templateGeneration(set *appsv1.DaemonSet) (generation int64, ok bool) {
	generation, err := strconv.ParseInt(set.Annotations[appsv1.DeprecatedTemplateGeneration], 10, 64)
	return generation, err == nil
}
