package admit

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
)

const priorityTable = "priorityclasses.scheduling.k8s.io"

// systemPriorities hold before anybody has stored the classes of those names.
var systemPriorities = map[string]int32{"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}

// podPriority turns the name of a pod's priority class into numbers.
func podPriority(_ context.Context, a *Attributes) error {
	if !a.Is("pods") {
		return nil
	}
	pod, ok := a.Object.(*corev1.Pod)
	if !ok {
		return nil
	}
	if old, ok := a.Old.(*corev1.Pod); ok {
		if pod.Spec.Priority == nil {
			pod.Spec.Priority = old.Spec.Priority
		}
		if pod.Spec.PreemptionPolicy == nil {
			pod.Spec.PreemptionPolicy = old.Spec.PreemptionPolicy
		}
		return nil
	}
	name, priority, preempts, err := priorityOf(a, pod.Spec.PriorityClassName)
	if err != nil {
		return err
	}
	pod.Spec.PriorityClassName = name
	if p := pod.Spec.Priority; p != nil && *p != priority {
		return Forbidden(a, fmt.Errorf("the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *p, priority))
	}
	pod.Spec.Priority = &priority
	if p := pod.Spec.PreemptionPolicy; p != nil && *p != preempts {
		return Forbidden(a, fmt.Errorf("the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *p, preempts))
	}
	pod.Spec.PreemptionPolicy = &preempts
	return nil
}

func priorityOf(a *Attributes, name string) (string, int32, corev1.PreemptionPolicy, error) {
	preempts := func(c *schedulingv1.PriorityClass) corev1.PreemptionPolicy {
		if c.PreemptionPolicy == nil {
			return corev1.PreemptLowerPriority
		}
		return *c.PreemptionPolicy
	}
	if name == "" {
		class := defaultPriority(a)
		if class == nil {
			return "", 0, corev1.PreemptLowerPriority, nil
		}
		return class.Name, class.Value, preempts(class), nil
	}
	if class, ok := lookup[*schedulingv1.PriorityClass](a, priorityTable, "", name); ok {
		return name, class.Value, preempts(class), nil
	}
	if value, ok := systemPriorities[name]; ok {
		return name, value, corev1.PreemptLowerPriority, nil
	}
	return "", 0, "", Forbidden(a, fmt.Errorf("no PriorityClass with name %v was found", name))
}

// defaultPriority is the class for pods that name none; of several the lowest.
func defaultPriority(a *Attributes) *schedulingv1.PriorityClass {
	var lowest *schedulingv1.PriorityClass
	for class := range all[*schedulingv1.PriorityClass](a, priorityTable, "") {
		if class.GlobalDefault && (lowest == nil || class.Value < lowest.Value) {
			lowest = class
		}
	}
	return lowest
}

// oneDefaultPriority refuses a second default class.
func oneDefaultPriority(_ context.Context, a *Attributes) error {
	if !a.Is(priorityTable) {
		return nil
	}
	class, ok := a.Object.(*schedulingv1.PriorityClass)
	if !ok || !class.GlobalDefault {
		return nil
	}
	if other := defaultPriority(a); other != nil && (a.Operation == Create || other.Name != class.Name) {
		return Forbidden(a, fmt.Errorf("PriorityClass %v is already marked as default. Only one default can exist", other.Name))
	}
	return nil
}
