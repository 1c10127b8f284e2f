package deployment

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func condition(status *appsv1.DeploymentStatus, conditionType appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range status.Conditions {
		if status.Conditions[i].Type == conditionType {
			c := status.Conditions[i]
			return &c
		}
	}
	return nil
}

func (r *rollout) condition(conditionType appsv1.DeploymentConditionType, value corev1.ConditionStatus, reason, message string) appsv1.DeploymentCondition {
	return appsv1.DeploymentCondition{
		Type: conditionType, Status: value, Reason: reason, Message: message,
		LastUpdateTime: r.time(), LastTransitionTime: r.time(),
	}
}

// setCondition sets a condition that begins now, see the function of that name.
func (r *rollout) setCondition(status *appsv1.DeploymentStatus, conditionType appsv1.DeploymentConditionType, value corev1.ConditionStatus, reason, message string) {
	setCondition(status, r.condition(conditionType, value, reason, message))
}

// setCondition puts a condition in the place of the one of its type. One with the same status and reason stays as it is, and
// the time of the transition is kept while the status stays.
func setCondition(status *appsv1.DeploymentStatus, c appsv1.DeploymentCondition) {
	if current := condition(status, c.Type); current != nil && current.Status == c.Status {
		if current.Reason == c.Reason {
			return
		}
		c.LastTransitionTime = current.LastTransitionTime
	}
	removeCondition(status, c.Type)
	status.Conditions = append(status.Conditions, c)
}

func removeCondition(status *appsv1.DeploymentStatus, conditionType appsv1.DeploymentConditionType) {
	status.Conditions = slices.DeleteFunc(slices.Clone(status.Conditions), func(c appsv1.DeploymentCondition) bool {
		return c.Type == conditionType
	})
}
