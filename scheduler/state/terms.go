package state

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Term is a wish to be near pods, or far from them, within a topology: nodes with the same value of a label.
type Term struct {
	TopologyKey string
	Weight      int64 // of a preference

	selector   labels.Selector
	namespaces map[string]bool
	ofLabels   labels.Selector // namespaces with such labels too; nil: none
}

// Covers says whether the term is about a pod, given the labels of the pod's namespace.
func (t *Term) Covers(pod *v1.Pod, namespace labels.Set) bool {
	in := t.namespaces[pod.Namespace] || t.ofLabels != nil && t.ofLabels.Matches(namespace)
	return in && t.selector.Matches(labels.Set(pod.Labels))
}

// Spread is a wish for pods to be spread evenly over a topology.
type Spread struct {
	v1.TopologySpreadConstraint
	Selector labels.Selector
}

// wishes are what a pod asks for with regard to other pods.
type wishes struct {
	Near, Far             []Term // required
	LikesNear, LikesFar   []Term
	Spreads, LikesSpreads []Spread
}

func newWishes(pod *v1.Pod) wishes {
	var w wishes
	if a := pod.Spec.Affinity; a != nil && a.PodAffinity != nil {
		w.Near = terms(pod, a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		w.LikesNear = weighted(pod, a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		w.Far = terms(pod, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		w.LikesFar = weighted(pod, a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	for _, c := range pod.Spec.TopologySpreadConstraints {
		s := Spread{c, withKeys(selectorOf(c.LabelSelector), pod, c.MatchLabelKeys, nil)}
		if c.WhenUnsatisfiable == v1.ScheduleAnyway {
			w.LikesSpreads = append(w.LikesSpreads, s)
		} else {
			w.Spreads = append(w.Spreads, s)
		}
	}
	return w
}

func terms(pod *v1.Pod, list []v1.PodAffinityTerm) []Term {
	var out []Term
	for i := range list {
		out = append(out, newTerm(pod, &list[i], 0))
	}
	return out
}

func weighted(pod *v1.Pod, list []v1.WeightedPodAffinityTerm) []Term {
	var out []Term
	for i := range list {
		out = append(out, newTerm(pod, &list[i].PodAffinityTerm, int64(list[i].Weight)))
	}
	return out
}

func newTerm(pod *v1.Pod, t *v1.PodAffinityTerm, weight int64) Term {
	out := Term{
		TopologyKey: t.TopologyKey, Weight: weight, namespaces: map[string]bool{},
		selector: withKeys(selectorOf(t.LabelSelector), pod, t.MatchLabelKeys, t.MismatchLabelKeys),
	}
	for _, namespace := range t.Namespaces {
		out.namespaces[namespace] = true
	}
	if len(t.Namespaces) == 0 && t.NamespaceSelector == nil {
		out.namespaces[pod.Namespace] = true
	}
	if t.NamespaceSelector != nil {
		out.ofLabels = selectorOf(t.NamespaceSelector)
	}
	return out
}

// selectorOf: one that does not parse was refused when the pod was created.
func selectorOf(s *metav1.LabelSelector) labels.Selector {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return selector
}

// withKeys adds that some labels are, or are not, as the pod's own.
func withKeys(s labels.Selector, pod *v1.Pod, same, other []string) labels.Selector {
	for _, keys := range []struct {
		names    []string
		operator selection.Operator
	}{{same, selection.In}, {other, selection.NotIn}} {
		for _, key := range keys.names {
			value, ok := pod.Labels[key]
			if !ok {
				continue
			}
			if r, err := labels.NewRequirement(key, keys.operator, []string{value}); err == nil {
				s = s.Add(*r)
			}
		}
	}
	return s
}
