package resourceclaim

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// longestBase is how long the name may be from which a claim's is generated: five random characters follow.
const longestBase = 57

// recorded is the claim that a pod has for one of its wishes. made says that it was made for the pod, known that one is written
// down; an empty name then means that none is needed.
func recorded(pod *corev1.Pod, wish *corev1.PodResourceClaim) (name string, made, known bool) {
	if wish.ResourceClaimName != nil {
		return *wish.ResourceClaimName, false, true
	}
	for _, s := range pod.Status.ResourceClaimStatuses {
		if s.Name == wish.Name {
			if s.ResourceClaimName == nil {
				return "", true, true
			}
			return *s.ResourceClaimName, true, true
		}
	}
	return "", true, false
}

// claimFor is what a template makes for a wish of a pod.
func claimFor(pod *corev1.Pod, wish string, template *resourcev1.ResourceClaimTemplate) *resourcev1.ResourceClaim {
	t := template.Spec.DeepCopy()
	annotations := t.Annotations
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[resourcev1.PodResourceClaimAnnotation] = wish
	return &resourcev1.ResourceClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, GenerateName: baseName(pod.Name, wish), Labels: t.Labels, Annotations: annotations,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID, Controller: new(true)}}},
		Spec: t.Spec,
	}
}

// baseName shortens both names in proportion, where the API would cut the second off.
func baseName(pod, wish string) string {
	name := pod + "-" + wish + "-"
	if len(name) <= longestBase {
		return name
	}
	return pod[:len(pod)*longestBase/len(name)] + "-" + wish[:len(wish)*longestBase/len(name)]
}

// done says that a pod will not run any more.
func done(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed ||
		pod.DeletionTimestamp != nil && pod.Spec.NodeName == ""
}

// reservable says whether a pod that was placed without the scheduler's help may be noted as a user of its claim.
func reservable(pod *corev1.Pod, claim *resourcev1.ResourceClaim) bool {
	return pod.Spec.NodeName != "" && claim.Status.Allocation != nil && len(claim.Status.ReservedFor) < resourcev1.ResourceClaimReservedForMaxSize &&
		!slices.ContainsFunc(claim.Status.ReservedFor, func(r resourcev1.ResourceClaimConsumerReference) bool { return r.UID == pod.UID })
}

// ending is what there is to do about a claim that is no longer used, or less.
type ending struct {
	users   []resourcev1.ResourceClaimConsumerReference
	fewer   bool // some users are gone
	free    bool // the devices are given back
	release bool // the finalizer that held the claim while it had devices is taken off
	remove  bool // it was made for a pod that will not run
}

// decide looks whether those that a claim is reserved for are still there. find gives a pod by its name, or nil. What is no pod is
// kept: nobody here knows about it.
func decide(claim *resourcev1.ResourceClaim, find func(name string) *corev1.Pod) ending {
	var e ending
	for _, user := range claim.Status.ReservedFor {
		if user.APIGroup == "" && user.Resource == "pods" && !lives(find(user.Name), user.UID) {
			e.fewer = true
			continue
		}
		e.users = append(e.users, user)
	}
	ours := slices.Contains(claim.Finalizers, resourcev1.Finalizer)
	switch {
	case e.fewer:
		e.free = len(e.users) == 0 && ours && claim.Status.Allocation != nil
		e.release = ours && (e.free || claim.Status.Allocation == nil)
	case ours && claim.DeletionTimestamp != nil && len(e.users) == 0:
		e.free, e.release = claim.Status.Allocation != nil, true
	}
	if owner := metav1.GetControllerOfNoCopy(claim); len(e.users) == 0 && owner != nil && owner.APIVersion == "v1" && owner.Kind == "Pod" {
		pod := find(owner.Name)
		e.remove = pod != nil && !lives(pod, owner.UID) && claim.DeletionTimestamp == nil // of a pod that is gone the garbage collector knows
	}
	return e
}

// lives says whether a pod is the one that is meant, and may run.
func lives(pod *corev1.Pod, uid types.UID) bool { return pod != nil && pod.UID == uid && !done(pod) }
