package admit

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	features "k8s.io/component-helpers/nodedeclaredfeatures"
)

// checkDeclaredFeatures refuses changes of a pod that its node does not say it can carry out (KEP-5328).
func checkDeclaredFeatures(_ context.Context, a *Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || a.Operation != Update || a.Subresource != "" && a.Subresource != "resize" || pod.Spec.NodeName == "" ||
		a.Old.GetGeneration() == pod.Generation {
		return nil
	}
	old := a.Old.(*corev1.Pod)
	needs, err := features.DefaultFramework.InferForPodUpdate(&features.PodInfo{Spec: &old.Spec, Status: &old.Status},
		&features.PodInfo{Spec: &pod.Spec, Status: &pod.Status}, version.MajorMinor(1, 36))
	if err != nil {
		return Forbidden(a, fmt.Errorf("failed to infer pod capability requirements: %w", err))
	}
	if needs.IsEmpty() {
		return nil
	}
	node, ok := lookup[*corev1.Node](a, "nodes", "", pod.Spec.NodeName)
	if !ok {
		return Forbidden(a, fmt.Errorf("node %q not found", pod.Spec.NodeName))
	}
	match, err := features.DefaultFramework.MatchNode(needs, node)
	switch {
	case err != nil:
		return Forbidden(a, fmt.Errorf("failed to match pod requirements against node %q: %w", node.Name, err))
	case !match.IsMatch:
		return Forbidden(a, fmt.Errorf("pod update requires features %s which are not available on node %q", strings.Join(match.UnsatisfiedRequirements, ", "), node.Name))
	}
	return nil
}
