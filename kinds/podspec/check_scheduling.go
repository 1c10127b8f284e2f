package podspec

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// ValidateTolerations checks tolerations that pods will be given.
func ValidateTolerations(tolerations []corev1.Toleration, path *field.Path) field.ErrorList {
	c := newChecker(&corev1.PodSpec{})
	c.checkTolerations(path, tolerations)
	return c.errs
}

func (c *checker) checkTolerations(path *field.Path, tolerations []corev1.Toleration) {
	for i, t := range tolerations {
		at := path.Index(i)
		if t.Key != "" {
			c.addAll(metav1validation.ValidateLabelName(t.Key, at.Child("key")))
		} else if t.Operator != corev1.TolerationOpExists {
			c.invalid(at.Child("operator"), t.Operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			c.invalid(at.Child("effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
		}
		switch t.Operator {
		case corev1.TolerationOpEqual, "":
			if messages := utilvalidation.IsValidLabelValue(t.Value); len(messages) > 0 {
				c.invalid(at.Child("operator"), t.Value, strings.Join(messages, ";"))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				c.invalid(at.Child("operator"), t.Value, "value must be empty when `operator` is 'Exists'")
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt: // TaintTolerationComparisonOperators, off by default
			c.add(field.NotSupported(at.Child("operator"), t.Operator, []corev1.TolerationOperator{
				corev1.TolerationOpEqual, corev1.TolerationOpExists, corev1.TolerationOpLt, corev1.TolerationOpGt,
			}))
		default:
			oneOf(c, at.Child("operator"), t.Operator, corev1.TolerationOpEqual, corev1.TolerationOpExists)
		}
		if t.Effect != "" {
			oneOf(c, at.Child("effect"), t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
		}
	}
}

func (c *checker) checkGates(path *field.Path) {
	for i, gate := range c.spec.ReadinessGates {
		c.addAll(meta.QualifiedName(path.Child("readinessGates").Index(i).Child("conditionType"), string(gate.ConditionType)))
	}
	seen := map[string]bool{}
	for i, gate := range c.spec.SchedulingGates {
		at := path.Child("schedulingGates").Index(i)
		c.addAll(meta.QualifiedName(at, gate.Name))
		if seen[gate.Name] {
			c.duplicate(at, gate.Name)
		}
		seen[gate.Name] = true
	}
}

func (c *checker) checkSpread(path *field.Path) {
	constraints := c.spec.TopologySpreadConstraints
	for i, s := range constraints {
		at := path.Index(i)
		c.positive(at.Child("maxSkew"), s.MaxSkew)
		if s.TopologyKey == "" {
			c.required(at.Child("topologyKey"), "can not be empty")
		}
		oneOf(c, at.Child("whenUnsatisfiable"), s.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)
		repeated := slices.ContainsFunc(constraints[i+1:], func(other corev1.TopologySpreadConstraint) bool {
			return other.TopologyKey == s.TopologyKey && other.WhenUnsatisfiable == s.WhenUnsatisfiable
		})
		if repeated {
			c.duplicate(at.Child("{topologyKey, whenUnsatisfiable}"), fmt.Sprintf("{%v, %v}", s.TopologyKey, s.WhenUnsatisfiable))
		}
		if s.MinDomains != nil {
			c.positive(at.Child("minDomains"), *s.MinDomains)
			if s.WhenUnsatisfiable != corev1.DoNotSchedule {
				c.invalid(at.Child("minDomains"), *s.MinDomains, fmt.Sprintf("can only use minDomains if whenUnsatisfiable=%s, not %s", corev1.DoNotSchedule, s.WhenUnsatisfiable))
			}
		}
		if s.NodeAffinityPolicy != nil {
			oneOf(c, at.Child("nodeAffinityPolicy"), *s.NodeAffinityPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
		}
		if s.NodeTaintsPolicy != nil {
			oneOf(c, at.Child("nodeTaintsPolicy"), *s.NodeTaintsPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)
		}
		c.checkLabelKeys(at, s.MatchLabelKeys, nil, s.LabelSelector)
		c.checkSelector(at.Child("labelSelector"), s.LabelSelector)
	}
}

func (c *checker) positive(path *field.Path, value int32) {
	if value <= 0 {
		c.invalid(path, value, "must be greater than zero")
	}
}

func (c *checker) checkSelector(path *field.Path, selector *metav1.LabelSelector) {
	c.addAll(metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path))
}

func (c *checker) checkLabelKeys(path *field.Path, match, mismatch []string, selector *metav1.LabelSelector) {
	for _, keys := range []struct {
		path *field.Path
		keys []string
	}{{path.Child("matchLabelKeys"), match}, {path.Child("mismatchLabelKeys"), mismatch}} {
		if len(keys.keys) > 0 && selector == nil {
			c.forbidden(keys.path, "must not be specified when labelSelector is not set")
			continue
		}
		for i, key := range keys.keys {
			c.addAll(metav1validation.ValidateLabelName(key, keys.path.Index(i)))
		}
	}
	if selector != nil {
		// A key stands once in matchExpressions because the API merged it there; twice is the user's.
		seen := map[string]bool{}
		for key := range selector.MatchLabels {
			seen[key] = true
		}
		for _, e := range selector.MatchExpressions {
			if i := slices.Index(match, e.Key); i >= 0 && seen[e.Key] {
				c.invalid(path.Index(i), e.Key, "exists in both matchLabelKeys and labelSelector")
			}
			seen[e.Key] = true
		}
	}
	for i, key := range match {
		if slices.Contains(mismatch, key) {
			c.invalid(path.Child("matchLabelKeys").Index(i), key, "exists in both matchLabelKeys and mismatchLabelKeys")
		}
	}
}
