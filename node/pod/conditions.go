package pod

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// conditions lists the conditions of others as they are, then the agent's own, with the times of those that did not change.
func (m *Machine) conditions(s *v1.PodStatus) []v1.PodCondition {
	var all []v1.PodCondition
	for _, c := range m.pod.Status.Conditions {
		if !ownCondition(c.Type) {
			all = append(all, c)
		}
	}
	if m.rejected != nil {
		return all
	}
	ready := m.containersReady(s)
	podReady := ready
	podReady.Type = v1.PodReady
	if ready.Status == v1.ConditionTrue {
		podReady = m.gatesReady(podReady, all)
	}
	sandbox := v1.PodCondition{Type: v1.PodReadyToStartContainers, Status: v1.ConditionFalse}
	if m.sandbox() != nil {
		sandbox.Status = v1.ConditionTrue
	}
	own := append(m.resizeCondition(), sandbox, m.initializedCondition(s), podReady, ready, v1.PodCondition{Type: v1.PodScheduled, Status: v1.ConditionTrue})
	if m.end != nil && m.end.disrupted && s.Phase == v1.PodFailed {
		all = slices.DeleteFunc(all, func(c v1.PodCondition) bool { return c.Type == v1.DisruptionTarget })
		disrupted := v1.PodCondition{Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: v1.PodReasonTerminationByKubelet, Message: m.end.message}
		own = append([]v1.PodCondition{disrupted}, own...)
	}
	for i := range own {
		own[i].ObservedGeneration = m.pod.Generation
		own[i].LastTransitionTime = m.transitionTime(&own[i])
	}
	return append(all, own...)
}

func ownCondition(t v1.PodConditionType) bool {
	switch t {
	case v1.PodReadyToStartContainers, v1.PodInitialized, v1.PodReady, v1.ContainersReady, v1.PodScheduled, v1.PodResizeInProgress, v1.PodResizePending:
		return true
	}
	return false
}

func (m *Machine) transitionTime(c *v1.PodCondition) metav1.Time {
	for i := range m.last.Conditions {
		if old := &m.last.Conditions[i]; old.Type == c.Type && old.Status == c.Status {
			return old.LastTransitionTime
		}
	}
	return metav1.Time{Time: m.now.Truncate(1e9)}
}

// overCondition is what a condition says once the pod is over.
func overCondition(t v1.PodConditionType, phase v1.PodPhase) v1.PodCondition {
	reason := "PodCompleted"
	if phase == v1.PodFailed {
		reason = "PodFailed"
	}
	return v1.PodCondition{Type: t, Status: v1.ConditionFalse, Reason: reason}
}

func (m *Machine) containersReady(s *v1.PodStatus) v1.PodCondition {
	if terminal(s.Phase) {
		return overCondition(v1.ContainersReady, s.Phase)
	}
	var unready []string
	for i := range m.pod.Spec.InitContainers {
		c := &m.pod.Spec.InitContainers[i]
		if st := findIn(s.InitContainerStatuses, c.Name); IsSidecar(c) && !st.Ready {
			unready = append(unready, c.Name)
		}
	}
	for i := range s.ContainerStatuses {
		if st := &s.ContainerStatuses[i]; !st.Ready {
			unready = append(unready, st.Name)
		}
	}
	if len(unready) > 0 {
		return v1.PodCondition{Type: v1.ContainersReady, Status: v1.ConditionFalse, Reason: "ContainersNotReady",
			Message: fmt.Sprintf("containers with unready status: %s", unready)}
	}
	return v1.PodCondition{Type: v1.ContainersReady, Status: v1.ConditionTrue}
}

// gatesReady applies spec.readinessGates to a pod whose containers are ready.
func (m *Machine) gatesReady(ready v1.PodCondition, conditions []v1.PodCondition) v1.PodCondition {
	var unready []string
	for _, gate := range m.pod.Spec.ReadinessGates {
		status, found := v1.ConditionUnknown, false
		for i := range conditions {
			if conditions[i].Type == gate.ConditionType {
				status, found = conditions[i].Status, true
			}
		}
		switch {
		case !found:
			unready = append(unready, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		case status != v1.ConditionTrue:
			unready = append(unready, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", gate.ConditionType, status))
		}
	}
	if len(unready) > 0 {
		ready.Status, ready.Reason, ready.Message = v1.ConditionFalse, "ReadinessGatesNotReady", strings.Join(unready, ", ")
	}
	return ready
}

func (m *Machine) initializedCondition(s *v1.PodStatus) v1.PodCondition {
	done := v1.PodCondition{Type: v1.PodInitialized, Status: v1.ConditionTrue}
	if s.Phase == v1.PodSucceeded {
		done.Reason = "PodCompleted"
		return done
	}
	for i := range s.ContainerStatuses {
		if st := &s.ContainerStatuses[i]; st.State.Running != nil || st.State.Terminated != nil || st.LastTerminationState.Terminated != nil {
			return done
		}
	}
	var incomplete []string
	for i := range m.pod.Spec.InitContainers {
		c := &m.pod.Spec.InitContainers[i]
		st := findIn(s.InitContainerStatuses, c.Name)
		if (IsSidecar(c) && !*st.Started) || (!IsSidecar(c) && !st.Ready) {
			incomplete = append(incomplete, c.Name)
		}
	}
	if len(incomplete) > 0 {
		return v1.PodCondition{Type: v1.PodInitialized, Status: v1.ConditionFalse, Reason: "ContainersNotInitialized",
			Message: fmt.Sprintf("containers with incomplete status: %s", incomplete)}
	}
	return done
}
