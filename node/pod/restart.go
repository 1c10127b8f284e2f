package pod

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	v1 "k8s.io/api/core/v1"
)

// IsSidecar says whether an init container is restartable: it runs beside the containers instead of before them.
func IsSidecar(c *v1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways
}

// shouldRestart says whether a container that exited starts again (KEP-5307 adds the container's own policy and rules).
func shouldRestart(p *v1.Pod, c *v1.Container, exitCode int32) bool {
	for _, rule := range c.RestartPolicyRules {
		if rule.Action == v1.ContainerRestartRuleActionRestart && ruleMatches(rule.ExitCodes, exitCode) {
			return true
		}
	}
	policy := p.Spec.RestartPolicy
	if c.RestartPolicy != nil {
		policy = v1.RestartPolicy(*c.RestartPolicy)
	}
	switch policy {
	case v1.RestartPolicyNever:
		return false
	case v1.RestartPolicyOnFailure:
		return exitCode != 0
	}
	return true
}

// initShouldRestart differs: an init container that succeeded is done, and one that failed is retried unless it must not.
func initShouldRestart(p *v1.Pod, c *v1.Container, exitCode int32) bool {
	if IsSidecar(c) {
		return true
	}
	return exitCode != 0 && shouldRestart(p, c, exitCode)
}

func ruleMatches(on *v1.ContainerRestartRuleOnExitCodes, code int32) bool {
	if on == nil {
		return false
	}
	in := slices.Contains(on.Values, code)
	switch on.Operator {
	case v1.ContainerRestartRuleOnExitCodesOpIn:
		return in
	case v1.ContainerRestartRuleOnExitCodesOpNotIn:
		return !in
	}
	return false
}

// SpecHash changes when a running container no longer is what the spec asks for: its name or image changed. Everything else
// of a container is immutable or, like resources, changed in place.
func SpecHash(c *v1.Container) string {
	text, _ := json.Marshal([]string{c.Name, c.Image}) // of strings: cannot fail
	h := fnv.New32a()
	h.Write(text)
	return strconv.FormatUint(uint64(h.Sum32()), 16)
}

// EphemeralAsContainer is the container that an ephemeral container is run as.
func EphemeralAsContainer(e *v1.EphemeralContainer) *v1.Container {
	c := v1.Container(e.EphemeralContainerCommon)
	return &c
}

// FindContainer returns a container of the spec by name, init and ephemeral ones included, or nil.
func FindContainer(p *v1.Pod, name string) *v1.Container {
	for i := range p.Spec.Containers {
		if p.Spec.Containers[i].Name == name {
			return &p.Spec.Containers[i]
		}
	}
	for i := range p.Spec.InitContainers {
		if p.Spec.InitContainers[i].Name == name {
			return &p.Spec.InitContainers[i]
		}
	}
	for i := range p.Spec.EphemeralContainers {
		if p.Spec.EphemeralContainers[i].Name == name {
			return EphemeralAsContainer(&p.Spec.EphemeralContainers[i])
		}
	}
	return nil
}

// Describe is how messages name a pod: name_namespace(uid).
func Describe(p *v1.Pod) string { return fmt.Sprintf("%s_%s(%s)", p.Name, p.Namespace, p.UID) }
