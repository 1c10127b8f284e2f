package auth

import (
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func restrictPod(node string, w *Write) error {
	switch w.Subresource {
	case "":
		switch w.Verb {
		case "create":
			return restrictMirrorPod(node, w)
		case "delete":
			return restrictBound(node, w, "node %q can only delete pods with spec.nodeName set to itself")
		}
		return w.forbidden(fmt.Errorf("unexpected operation %q, node %q can only create and delete mirror pods", w.Verb, node))
	case "status":
		return restrictPodStatus(node, w)
	case "eviction":
		return restrictBound(node, w, "node %s can only evict pods with spec.nodeName set to itself")
	}
	return w.forbidden(fmt.Errorf("unexpected pod subresource %q, only 'status' and 'eviction' are allowed", w.Subresource))
}

// restrictBound looks at the stored pod, not at what the request says of it.
func restrictBound(node string, w *Write, format string) error {
	pod, ok := w.Old.(*corev1.Pod)
	if !ok {
		if pod, ok = lookup[*corev1.Pod](w.Snapshot, "pods", w.Namespace, w.name()); !ok {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, w.name())
		}
	}
	if pod.Spec.NodeName != node {
		return w.forbidden(fmt.Errorf(format, node))
	}
	return nil
}

func restrictPodStatus(node string, w *Write) error {
	old, ok := w.Old.(*corev1.Pod)
	if !ok {
		return w.forbidden(fmt.Errorf("unexpected type %T", w.Old))
	}
	pod, ok := w.Object.(*corev1.Pod)
	switch {
	case old.Spec.NodeName != node:
		return w.forbidden(fmt.Errorf("node %q can only update pod status for pods with spec.nodeName set to itself", node))
	case !ok:
		return w.forbidden(fmt.Errorf("unexpected type %T", w.Object))
	case !maps.Equal(old.Labels, pod.Labels):
		return w.forbidden(fmt.Errorf("node %q cannot update labels through pod status", node))
	case !equality.Semantic.DeepEqual(old.OwnerReferences, pod.OwnerReferences):
		return w.forbidden(fmt.Errorf("node %q cannot update owner references through pod status", node))
	case !equality.Semantic.DeepEqual(old.Status.ResourceClaimStatuses, pod.Status.ResourceClaimStatuses):
		return w.forbidden(fmt.Errorf("node %q cannot update resource claim statues", node))
	case !equality.Semantic.DeepEqual(old.Status.ExtendedResourceClaimStatus, pod.Status.ExtendedResourceClaimStatus):
		return w.forbidden(fmt.Errorf("node %q cannot update extended resource claim status", node))
	}
	return nil
}

// restrictMirrorPod: what a node creates stands for a pod that it runs from its own disk, and may draw nothing from the API.
func restrictMirrorPod(node string, w *Write) error {
	pod, ok := w.Object.(*corev1.Pod)
	if !ok {
		return w.forbidden(fmt.Errorf("unexpected type %T", w.Object))
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
		return w.forbidden(fmt.Errorf("pod does not have %q annotation, node %q can only create mirror pods", corev1.MirrorPodAnnotationKey, node))
	}
	if pod.Spec.NodeName != node {
		return w.forbidden(fmt.Errorf("node %q can only create pods with spec.nodeName set to itself", node))
	}
	if err := mirrorPodOwner(node, w, pod); err != nil {
		return w.forbidden(err)
	}
	if what := podReference(pod); what != "" {
		return w.forbidden(fmt.Errorf("node %q can not create pods that reference %s", node, what))
	}
	return nil
}

func mirrorPodOwner(node string, w *Write, pod *corev1.Pod) error {
	switch len(pod.OwnerReferences) {
	case 0:
		return fmt.Errorf("node %q can only create pods with an owner reference set to itself", node)
	case 1:
	default:
		return fmt.Errorf("node %q can only create pods with a single owner reference set to itself", node)
	}
	owner := pod.OwnerReferences[0]
	switch {
	case owner.APIVersion != "v1" || owner.Kind != "Node" || owner.Name != node:
		return fmt.Errorf("node %q can only create pods with an owner reference set to itself", node)
	case owner.Controller == nil || !*owner.Controller:
		return fmt.Errorf("node %q can only create pods with a controller owner reference set to itself", node)
	case owner.BlockOwnerDeletion != nil && *owner.BlockOwnerDeletion:
		return fmt.Errorf("node %q must not set blockOwnerDeletion on an owner reference", node)
	}
	if uid := nodeUID(w, node); uid == "" {
		return errors.New("error looking up node " + node + " to verify uid: not found")
	} else if owner.UID != uid {
		return fmt.Errorf("node %s UID mismatch: expected %s got %s", node, owner.UID, uid)
	}
	return nil
}

// podReference names the kind of object that a pod draws from the API, or is empty.
func podReference(pod *corev1.Pod) string {
	found := ""
	anyEnvironment(pod, func(from []corev1.EnvFromSource, env []corev1.EnvVar) bool {
		for _, f := range from {
			switch {
			case f.SecretRef != nil:
				found = "secrets"
			case f.ConfigMapRef != nil:
				found = "configmaps"
			}
		}
		for _, e := range env {
			switch {
			case e.ValueFrom == nil:
			case e.ValueFrom.SecretKeyRef != nil:
				found = "secrets"
			case e.ValueFrom.ConfigMapKeyRef != nil:
				found = "configmaps"
			}
		}
		return found != ""
	})
	switch {
	case found != "":
		return found
	case pod.Spec.ServiceAccountName != "":
		return "serviceaccounts"
	case len(pod.Spec.ImagePullSecrets) > 0:
		return "secrets"
	case len(pod.Spec.ResourceClaims) > 0:
		return "resourceclaims"
	}
	for i := range pod.Spec.Volumes {
		if what := volumeReference(&pod.Spec.Volumes[i].VolumeSource); what != "" {
			return what
		}
	}
	return ""
}

// volumeReference lists what needs nothing of the API and refuses the rest, so that a new kind of volume is refused too.
func volumeReference(v *corev1.VolumeSource) string {
	switch {
	case v.HostPath != nil, v.EmptyDir != nil, v.DownwardAPI != nil, v.NFS != nil, v.Image != nil,
		v.GCEPersistentDisk != nil, v.AWSElasticBlockStore != nil, v.FC != nil, v.GitRepo != nil:
		return ""
	case v.Secret != nil:
		return "secrets"
	case v.ConfigMap != nil:
		return "configmaps"
	case v.PersistentVolumeClaim != nil, v.Ephemeral != nil:
		return "persistentvolumeclaims"
	case v.Projected != nil:
		for _, s := range v.Projected.Sources {
			switch {
			case s.Secret != nil:
				return "secrets"
			case s.ConfigMap != nil:
				return "configmaps"
			case s.ServiceAccountToken != nil:
				return "serviceaccounts"
			case s.DownwardAPI == nil:
				return "objects of the API through a projected volume"
			}
		}
		return ""
	}
	return "a volume that needs objects of the API"
}
