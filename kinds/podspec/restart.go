package podspec

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ShouldRestart: a container that ended with exitCode is started again on its node. Its own rules come first, then its
// own policy, then the pod's (KEP-5307).
func ShouldRestart(spec *corev1.PodSpec, container *corev1.Container, exitCode int32) bool {
	policy := spec.RestartPolicy
	if container.RestartPolicy != nil {
		if MatchingRestartRule(container, exitCode) != nil {
			return true
		}
		policy = corev1.RestartPolicy(*container.RestartPolicy)
	}
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exitCode != 0
	}
	return true
}

// MatchingRestartRule returns the first of a container's restart rules that its exit code matches, or nil. The rule's
// action says whether the container alone or the whole pod starts again.
func MatchingRestartRule(container *corev1.Container, exitCode int32) *corev1.ContainerRestartRule {
	for i := range container.RestartPolicyRules {
		rule := &container.RestartPolicyRules[i]
		if rule.ExitCodes == nil {
			continue
		}
		wanted := rule.ExitCodes.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn
		if slices.Contains(rule.ExitCodes.Values, exitCode) == wanted {
			return rule
		}
	}
	return nil
}

// mayRestartAll: a container's exit may start the whole pod again.
func mayRestartAll(spec *corev1.PodSpec) bool {
	for c := range Containers(spec) {
		for _, rule := range c.RestartPolicyRules {
			if rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers {
				return true
			}
		}
	}
	return false
}
