package horizontalpodautoscaler

import (
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// observed is a pod of the target, and what it used.
type observed struct {
	pod        *corev1.Pod
	containers map[string]corev1.ResourceList
	at         time.Time
	window     time.Duration
	known      bool
}

// decision is one look of an autoscaler.
type decision struct {
	spec       *autoscalingv2.HorizontalPodAutoscalerSpec
	pods       []observed
	current    int32 // replicas that are asked for
	existing   int32 // replicas that there are
	now        time.Time
	memory     *memory
	downWindow time.Duration // when the spec does not say it
	events     func(kind, reason, format string, args ...any)

	desired int32
	reason  string
	status  autoscalingv2.HorizontalPodAutoscalerStatus
}

// decide sets desired, reason and the status' metrics and conditions.
func (d *decision) decide() {
	least, most := int32(1), d.spec.MaxReplicas
	if d.spec.MinReplicas != nil {
		least = *d.spec.MinReplicas
	}
	d.desired = d.current
	switch {
	case d.current == 0: // switched off by hand
		d.condition(autoscalingv2.ScalingActive, false, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
		return
	case d.current > most:
		d.desired, d.reason = most, "Current number of replicas above Spec.MaxReplicas"
		return
	case d.current < least:
		d.desired, d.reason = least, "Current number of replicas below Spec.MinReplicas"
		return
	}
	proposed, metric, err := d.byMetrics()
	if err != nil {
		d.events(corev1.EventTypeWarning, "FailedComputeMetricsReplicas", "%v", err)
		return
	}
	d.desired = d.limit(d.stabilise(proposed), least, most)
	switch {
	case d.desired > d.current:
		d.reason = metric + " above target"
	case d.desired < d.current:
		d.reason = "All metrics below target"
	}
}

// condition sets one of the conditions; it is new when its status changes.
func (d *decision) condition(kind autoscalingv2.HorizontalPodAutoscalerConditionType, is bool, reason, format string, args ...any) {
	status := corev1.ConditionFalse
	if is {
		status = corev1.ConditionTrue
	}
	next := autoscalingv2.HorizontalPodAutoscalerCondition{
		Type: kind, Status: status, Reason: reason, Message: fmt.Sprintf(format, args...), LastTransitionTime: metav1.NewTime(d.now),
	}
	for i := range d.status.Conditions {
		if c := &d.status.Conditions[i]; c.Type == kind {
			if c.Status == status {
				next.LastTransitionTime = c.LastTransitionTime
			}
			*c = next
			return
		}
	}
	d.status.Conditions = append(d.status.Conditions, next)
}
