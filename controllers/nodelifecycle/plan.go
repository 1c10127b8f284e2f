package nodelifecycle

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultGrace is how long upstream lets a node be silent until it counts as lost.
const DefaultGrace = 50 * time.Second

// startupGrace is the least for a node that has never said anything.
const startupGrace = 60 * time.Second

// reported are the conditions that a node agent keeps up, and that nobody knows when it is silent.
var reported = []corev1.NodeConditionType{
	corev1.NodeReady, corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure,
}

// silentConditions are a lost node's conditions: nobody knows; changed is false when they say so already.
func silentConditions(node *corev1.Node, now time.Time) (next []corev1.NodeCondition, changed bool) {
	next = slices.Clone(node.Status.Conditions)
	at := metav1.NewTime(now.Truncate(time.Second))
	for _, conditionType := range reported {
		c := condition(next, conditionType)
		switch {
		case c == nil:
			next = append(next, corev1.NodeCondition{
				Type: conditionType, Status: corev1.ConditionUnknown,
				Reason: "NodeStatusNeverUpdated", Message: "Kubelet never posted node status.",
				LastHeartbeatTime: node.CreationTimestamp, LastTransitionTime: at,
			})
		case c.Status != corev1.ConditionUnknown:
			c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
			c.LastTransitionTime = at
		default:
			continue
		}
		changed = true
	}
	return next, changed
}

func condition(list []corev1.NodeCondition, conditionType corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range list {
		if list[i].Type == conditionType {
			return &list[i]
		}
	}
	return nil
}

// readiness is the status of a node's Ready condition; one that it lacks is Unknown.
func readiness(node *corev1.Node) corev1.ConditionStatus {
	if c := condition(node.Status.Conditions, corev1.NodeReady); c != nil {
		return c.Status
	}
	return corev1.ConditionUnknown
}

// lost says whether the node has been found silent. One that has just registered and said nothing yet has not.
func lost(node *corev1.Node) bool {
	c := condition(node.Status.Conditions, corev1.NodeReady)
	return c != nil && c.Status == corev1.ConditionUnknown
}

// rule says which taint a condition of a node brings.
type rule struct {
	condition corev1.NodeConditionType
	status    corev1.ConditionStatus
	taint     string
}

// rules are all taints that follow from conditions.
var rules = []rule{
	{corev1.NodeReady, corev1.ConditionFalse, corev1.TaintNodeNotReady},
	{corev1.NodeReady, corev1.ConditionUnknown, corev1.TaintNodeUnreachable},
	{corev1.NodeMemoryPressure, corev1.ConditionTrue, corev1.TaintNodeMemoryPressure},
	{corev1.NodeDiskPressure, corev1.ConditionTrue, corev1.TaintNodeDiskPressure},
	{corev1.NodePIDPressure, corev1.ConditionTrue, corev1.TaintNodePIDPressure},
	{corev1.NodeNetworkUnavailable, corev1.ConditionTrue, corev1.TaintNodeNetworkUnavailable},
}

// taints are what the node's taints should be; adds says whether there is a NoExecute taint that was not there before.
// Others' are left as they are.
func taints(node *corev1.Node, allowed eviction, now time.Time) (next []corev1.Taint, changed, adds bool) {
	at := metav1.NewTime(now.Truncate(time.Second))
	for _, taint := range node.Spec.Taints {
		if !managed(taint) {
			next = append(next, taint)
		}
	}
	for _, wanted := range wantedTaints(node, at) {
		old := find(node.Spec.Taints, wanted)
		evicts := wanted.Effect == corev1.TaintEffectNoExecute
		switch {
		case evicts && (allowed == stopEviction || allowed == keepEviction && old == nil):
			continue
		case old != nil:
			wanted = *old // with the time when it was added
		case evicts:
			adds = true
		}
		next = append(next, wanted)
	}
	return next, !sameTaints(next, node.Spec.Taints), adds
}

func wantedTaints(node *corev1.Node, at metav1.Time) []corev1.Taint {
	var list []corev1.Taint
	for _, r := range rules {
		c := condition(node.Status.Conditions, r.condition)
		if c == nil || c.Status != r.status {
			continue
		}
		list = append(list, corev1.Taint{Key: r.taint, Effect: corev1.TaintEffectNoSchedule})
		if r.condition == corev1.NodeReady {
			list = append(list, corev1.Taint{Key: r.taint, Effect: corev1.TaintEffectNoExecute, TimeAdded: &at})
		}
	}
	if node.Spec.Unschedulable {
		list = append(list, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
	return list
}

// managed says whether a taint is this controller's to set and remove.
func managed(taint corev1.Taint) bool {
	switch taint.Effect {
	case corev1.TaintEffectNoSchedule:
		return taint.Key == corev1.TaintNodeUnschedulable || slices.ContainsFunc(rules, func(r rule) bool { return r.taint == taint.Key })
	case corev1.TaintEffectNoExecute:
		return taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable
	}
	return false
}

func find(list []corev1.Taint, wanted corev1.Taint) *corev1.Taint {
	for i := range list {
		if list[i].MatchTaint(&wanted) {
			return &list[i]
		}
	}
	return nil
}

// sameTaints compares without regard to order.
func sameTaints(a, b []corev1.Taint) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(t corev1.Taint) bool { return find(b, t) == nil })
}
