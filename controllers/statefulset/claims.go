package statefulset

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const claimsTable = "persistentvolumeclaims"

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

// missingClaims makes the claims of an ordinal that are not there, one per template.
func (r *rollout) missingClaims(ordinal int) []*corev1.PersistentVolumeClaim {
	var missing []*corev1.PersistentVolumeClaim
	for i := range r.set.Spec.VolumeClaimTemplates {
		template := &r.set.Spec.VolumeClaimTemplates[i]
		name := claimName(r.set, template.Name, ordinal)
		if r.claims[name] != nil {
			continue
		}
		claim := template.DeepCopy()
		claim.Namespace, claim.Name = r.set.Namespace, name
		if claim.Labels == nil {
			claim.Labels = map[string]string{}
		}
		maps.Copy(claim.Labels, r.set.Spec.Selector.MatchLabels)
		claim.OwnerReferences = r.owners(nil, nil, false)
		missing = append(missing, claim)
	}
	return missing
}

// ownClaims are the claims of a pod whose owners are not what the set's policy says, as they are to be. A condemned pod is
// beyond the set's replicas.
func (r *rollout) ownClaims(pod *corev1.Pod, condemned bool) []*corev1.PersistentVolumeClaim {
	_, ordinal, _ := ordinalOf(pod)
	var changed []*corev1.PersistentVolumeClaim
	for i := range r.set.Spec.VolumeClaimTemplates {
		claim := r.claims[claimName(r.set, r.set.Spec.VolumeClaimTemplates[i].Name, ordinal)]
		if claim == nil || claim.DeletionTimestamp != nil || r.othersOwn(claim, pod) {
			continue
		}
		if owners := r.owners(claim.OwnerReferences, pod, condemned); !equality.Semantic.DeepEqual(owners, claim.OwnerReferences) {
			next := claim.DeepCopy()
			next.OwnerReferences = owners
			changed = append(changed, next)
		}
	}
	return changed
}

// othersOwn says whether a claim is somebody else's, or of a set or pod of that name that is gone.
func (r *rollout) othersOwn(claim *corev1.PersistentVolumeClaim, pod *corev1.Pod) bool {
	for _, ref := range claim.OwnerReferences {
		switch {
		case ref.Kind == kind.Kind && ref.Name == r.set.Name:
			if ref.UID != r.set.UID {
				return true
			}
		case ref.Kind == podKind.Kind && ref.Name == pod.Name:
			if ref.UID != pod.UID {
				return true
			}
		case ref.Controller != nil && *ref.Controller:
			return true
		}
	}
	return false
}

// owners are what a claim's owners are to be by the set's policy: with an owner it goes when that goes.
func (r *rollout) owners(refs []metav1.OwnerReference, pod *corev1.Pod, condemned bool) []metav1.OwnerReference {
	refs = slices.DeleteFunc(slices.Clone(refs), func(ref metav1.OwnerReference) bool {
		return ref.UID == r.set.UID || pod != nil && ref.UID == pod.UID
	})
	policy := r.set.Spec.PersistentVolumeClaimRetentionPolicy
	if policy == nil {
		return refs
	}
	const remove = appsv1.DeletePersistentVolumeClaimRetentionPolicyType
	switch {
	case condemned && policy.WhenScaled == remove:
		refs = append(refs, *metav1.NewControllerRef(pod, podKind))
	case policy.WhenDeleted == remove:
		refs = append(refs, *metav1.NewControllerRef(r.set, kind))
	}
	return refs
}

// writeClaims creates and updates the claims of a pod, before anything is done with the pod.
func writeClaims(ctx context.Context, req reconcile.Request, set *appsv1.StatefulSet, a action) error {
	for _, claim := range a.claims {
		if claim.ResourceVersion != "" {
			if _, err := req.Client.Update(ctx, client.RefOf(claimsTable, claim), "", claim, metav1.UpdateOptions{}); err != nil {
				return fmt.Errorf("update claim %s: %w", claim.Name, err)
			}
			continue
		}
		_, err := req.Client.Create(ctx, client.RefOf(claimsTable, claim), "", claim, metav1.CreateOptions{})
		switch {
		case err == nil:
			req.Events.Eventf(set, corev1.EventTypeNormal, "SuccessfulCreate", "create Claim %s Pod %s in StatefulSet %s success", claim.Name, a.pod.Name, set.Name)
		case apierrors.IsAlreadyExists(err):
		case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			return err
		default:
			req.Events.Eventf(set, corev1.EventTypeWarning, "FailedCreate", "create Claim %s for Pod %s in StatefulSet %s failed error: %s", claim.Name, a.pod.Name, set.Name, err)
			return fmt.Errorf("create claim %s: %w", claim.Name, err)
		}
	}
	return nil
}
