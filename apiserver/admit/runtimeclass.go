package admit

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// classOf is the runtime class of a new pod, nil if it names none.
func classOf(a *Attributes, pod *corev1.Pod) (*nodev1.RuntimeClass, error) {
	name := pod.Spec.RuntimeClassName
	if name == nil {
		return nil, nil
	}
	class, ok := lookup[*nodev1.RuntimeClass](a, "runtimeclasses.node.k8s.io", "", *name)
	if !ok {
		return nil, Forbidden(a, fmt.Errorf("pod rejected: RuntimeClass %q not found", *name))
	}
	return class, nil
}

// runtimeClass gives a pod what its class says of all its pods: what they need beside their containers, and where they can run.
func runtimeClass(_ context.Context, a *Attributes) error {
	pod := podCreate(a)
	if pod == nil {
		return nil
	}
	class, err := classOf(a, pod)
	if err != nil || class == nil {
		return err
	}
	if class.Overhead != nil {
		if len(pod.Spec.Overhead) > 0 && !equality.Semantic.DeepEqual(class.Overhead.PodFixed, pod.Spec.Overhead) {
			return Forbidden(a, errOverhead)
		}
		pod.Spec.Overhead = class.Overhead.PodFixed.DeepCopy()
	}
	if class.Scheduling == nil {
		return nil
	}
	selector := maps.Clone(pod.Spec.NodeSelector)
	for key, value := range class.Scheduling.NodeSelector {
		if own, there := selector[key]; there && own != value {
			return Forbidden(a, fmt.Errorf("conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", key, value, key, own))
		}
		if selector == nil {
			selector = map[string]string{}
		}
		selector[key] = value
	}
	pod.Spec.NodeSelector = selector
	for _, t := range class.Scheduling.Tolerations {
		if !has(pod.Spec.Tolerations, t) {
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, *t.DeepCopy())
		}
	}
	return nil
}

var errOverhead = errors.New("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")

func has(tolerations []corev1.Toleration, t corev1.Toleration) bool {
	for i := range tolerations {
		if equality.Semantic.DeepEqual(tolerations[i], t) {
			return true
		}
	}
	return false
}

// checkOverhead: what a pod needs beside its containers is for its class to say.
func checkOverhead(_ context.Context, a *Attributes) error {
	pod := podCreate(a)
	if pod == nil {
		return nil
	}
	class, err := classOf(a, pod)
	switch {
	case err != nil:
		return err
	case class != nil && class.Overhead != nil:
		if !equality.Semantic.DeepEqual(class.Overhead.PodFixed, pod.Spec.Overhead) {
			return Forbidden(a, errOverhead)
		}
	case pod.Spec.Overhead != nil:
		return Forbidden(a, errors.New("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"))
	}
	return nil
}
