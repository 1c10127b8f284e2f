package job

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"proa/reconcile/podstate"
)

// action is what the job's failure policy makes of a failed pod: the first rule that matches, or Count.
func (w *work) action(pod *corev1.Pod) batchv1.PodFailurePolicyAction {
	action, _ := w.match(pod)
	return action
}

// match also says why.
func (w *work) match(pod *corev1.Pod) (batchv1.PodFailurePolicyAction, string) {
	if w.spec.PodFailurePolicy == nil || pod.Status.Phase != corev1.PodFailed {
		return batchv1.PodFailurePolicyActionCount, ""
	}
	for i, rule := range w.spec.PodFailurePolicy.Rules {
		why := ""
		if rule.OnExitCodes != nil {
			if status := failedContainer(pod, rule.OnExitCodes); status != nil {
				why = fmt.Sprintf("Container %s for pod %s/%s failed with exit code %v matching %v rule at index %d",
					status.Name, pod.Namespace, pod.Name, status.State.Terminated.ExitCode, rule.Action, i)
			}
		} else if c := failedCondition(pod, rule.OnPodConditions); c != nil {
			why = fmt.Sprintf("Pod %s/%s has condition %v matching %v rule at index %d", pod.Namespace, pod.Name, c.Type, rule.Action, i)
		}
		if why != "" {
			return rule.Action, why
		}
	}
	return batchv1.PodFailurePolicyActionCount, ""
}

func failedContainer(pod *corev1.Pod, on *batchv1.PodFailurePolicyOnExitCodesRequirement) *corev1.ContainerStatus {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range statuses {
			s := &statuses[i]
			if s.State.Terminated == nil || s.State.Terminated.ExitCode == 0 || on.ContainerName != nil && *on.ContainerName != s.Name {
				continue
			}
			if slices.Contains(on.Values, s.State.Terminated.ExitCode) == (on.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
				return s
			}
		}
	}
	return nil
}

func failedCondition(pod *corev1.Pod, patterns []batchv1.PodFailurePolicyOnPodConditionsPattern) *corev1.PodCondition {
	for _, p := range patterns {
		if c := podstate.Condition(pod, p.Type); c != nil && c.Status == p.Status {
			return c
		}
	}
	return nil
}

// failedByPolicy is why a pod's failure ends the job; "" if none does.
func (w *work) failedByPolicy() string {
	for _, pod := range w.pods.failed {
		if !tracked(pod) {
			continue
		}
		if action, why := w.match(pod); action == batchv1.PodFailurePolicyActionFailJob {
			return why
		}
	}
	return ""
}
