package podspec

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Names of the fields that an affinity's two halves share.
const (
	requiredTerms  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution"
)

func (c *checker) checkAffinity(path *field.Path) {
	a := c.spec.Affinity
	if a == nil {
		return
	}
	if n := a.NodeAffinity; n != nil {
		c.checkNodeAffinity(path.Child("nodeAffinity"), n)
	}
	if p := a.PodAffinity; p != nil {
		c.checkPodTerms(path.Child("podAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		c.checkPodTerms(path.Child("podAntiAffinity"), p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (c *checker) checkNodeAffinity(path *field.Path, n *corev1.NodeAffinity) {
	if selector := n.RequiredDuringSchedulingIgnoredDuringExecution; selector != nil {
		at := path.Child(requiredTerms, "nodeSelectorTerms")
		if len(selector.NodeSelectorTerms) == 0 {
			c.required(at, "must have at least one node selector term")
		}
		for i := range selector.NodeSelectorTerms {
			c.checkNodeTerm(at.Index(i), &selector.NodeSelectorTerms[i], true)
		}
	}
	for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
		term, at := &n.PreferredDuringSchedulingIgnoredDuringExecution[i], path.Child(preferredTerms).Index(i)
		c.checkWeight(at, term.Weight)
		c.checkNodeTerm(at.Child("preference"), &term.Preference, false)
	}
}

func (c *checker) checkWeight(path *field.Path, weight int32) {
	if weight <= 0 || weight > 100 {
		c.invalid(path.Child("weight"), weight, "must be in the range 1-100")
	}
}

// checkNodeTerm looks at the values of labels only where strict: a preference for what no node can have is harmless.
func (c *checker) checkNodeTerm(path *field.Path, term *corev1.NodeSelectorTerm, strict bool) {
	for i, r := range term.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		values := at.Child("values")
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) == 0 {
				c.required(values, "must be specified when `operator` is 'In' or 'NotIn'")
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			c.forbidIf(len(r.Values) > 0, values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			if len(r.Values) != 1 {
				c.required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'")
			}
		default:
			c.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		}
		c.addAll(metav1validation.ValidateLabelName(r.Key, at.Child("key")))
		if strict {
			for j, value := range r.Values {
				c.each(values.Index(j), value, utilvalidation.IsValidLabelValue(value))
			}
		}
	}
	for i, r := range term.MatchFields {
		at := path.Child("matchFields").Index(i)
		switch r.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(r.Values) != 1 {
				c.required(at.Child("values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")
			}
		default:
			c.invalid(at.Child("operator"), r.Operator, "not a valid selector operator")
		}
		if r.Key != metav1.ObjectNameField {
			c.invalid(at.Child("key"), r.Key, "not a valid field selector key")
			continue
		}
		for j, value := range r.Values {
			c.each(at.Child("values").Index(j), value, validation.NameIsDNSSubdomain(value, false))
		}
	}
}

func (c *checker) checkPodTerms(path *field.Path, must []corev1.PodAffinityTerm, should []corev1.WeightedPodAffinityTerm) {
	for i := range must {
		c.checkPodTerm(path.Child(requiredTerms).Index(i), &must[i])
	}
	for i := range should {
		at := path.Child(preferredTerms).Index(i)
		c.checkWeight(at, should[i].Weight)
		c.checkPodTerm(at.Child("podAffinityTerm"), &should[i].PodAffinityTerm)
	}
}

func (c *checker) checkPodTerm(path *field.Path, term *corev1.PodAffinityTerm) {
	c.checkSelector(path.Child("labelSelector"), term.LabelSelector)
	c.checkSelector(path.Child("namespaceSelector"), term.NamespaceSelector)
	for _, namespace := range term.Namespaces {
		c.each(path.Child("namespace"), namespace, validation.ValidateNamespaceName(namespace, false))
	}
	c.checkLabelKeys(path, term.MatchLabelKeys, term.MismatchLabelKeys, term.LabelSelector)
	if term.TopologyKey == "" {
		c.required(path.Child("topologyKey"), "can not be empty")
	}
	c.addAll(metav1validation.ValidateLabelName(term.TopologyKey, path.Child("topologyKey")))
}
