package filter

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"proa/kinds/core"
	"proa/kinds/podspec"
	"proa/kinds/storage"
	"proa/scheduler/state"
)

// exclusive keeps a pod off everywhere while another has a claim that only one pod may use at a time.
func exclusive(st *state.State, p *state.Pod) (Check, string) {
	for name := range podspec.Claims(p.Pod) {
		claim := st.Volumes.Claim(p.Pod.Namespace, name)
		if claim == nil || !slices.Contains(claim.Spec.AccessModes, v1.ReadWriteOncePod) || st.Volumes.Users(p.Pod.Namespace, name) == 0 {
			continue
		}
		return func(*state.Node) ([]string, bool) {
			return []string{"node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"}, false
		}, ""
	}
	return nil, ""
}

// volumes holds a pod to the nodes from which its volumes can be reached, and where those it still lacks can be had.
func volumes(st *state.State, p *state.Pod) (Check, string) {
	var bound []*v1.PersistentVolume
	var open []*v1.PersistentVolumeClaim
	for name, volume := range podspec.Claims(p.Pod) {
		claim := st.Volumes.Claim(p.Pod.Namespace, name)
		switch {
		case claim == nil && volume.Ephemeral != nil:
			return nil, fmt.Sprintf("waiting for ephemeral volume controller to create the persistentvolumeclaim %q", name)
		case claim == nil:
			return nil, fmt.Sprintf("persistentvolumeclaim %q not found", name)
		case claim.Status.Phase == v1.ClaimLost:
			return nil, fmt.Sprintf("persistentvolumeclaim %q bound to non-existent persistentvolume %q", name, claim.Spec.VolumeName)
		case claim.DeletionTimestamp != nil:
			return nil, fmt.Sprintf("persistentvolumeclaim %q is being deleted", name)
		case storage.IsBound(claim):
			pv := st.Volumes.Volume(claim.Spec.VolumeName)
			if pv == nil {
				return nil, fmt.Sprintf("persistentvolume %q not found", claim.Spec.VolumeName)
			}
			bound = append(bound, pv)
		case claim.Spec.VolumeName != "" || !storage.Waits(st.Volumes.ClassOf(claim)):
			return nil, "pod has unbound immediate PersistentVolumeClaims"
		default:
			open = append(open, claim)
		}
	}
	if len(bound)+len(open) == 0 {
		return nil, ""
	}
	return func(n *state.Node) ([]string, bool) {
		for _, pv := range bound {
			if !state.Reaches(pv, n.Node) {
				return []string{"node(s) didn't match PersistentVolume's node affinity"}, true
			}
		}
		if _, ok := Provide(st.Volumes, open, n.Node); !ok {
			return []string{"node(s) didn't find available persistent volumes to bind"}, true
		}
		return nil, false
	}, ""
}

// Provision is how a claim gets its volume once its first pod has a node.
type Provision struct {
	Claim  *v1.PersistentVolumeClaim
	Volume *v1.PersistentVolume // nil: its provisioner makes one
}

// Open lists the claims of a pod that get their volumes when the pod has a node.
func Open(v *state.Volumes, pod *v1.Pod) []*v1.PersistentVolumeClaim {
	var open []*v1.PersistentVolumeClaim
	for name := range podspec.Claims(pod) {
		if claim := v.Claim(pod.Namespace, name); claim != nil && !storage.IsBound(claim) && !slices.Contains(open, claim) {
			open = append(open, claim)
		}
	}
	return open
}

// Provide says how each of the claims can get a volume on a node: one that is there and free, the smallest that suits and
// no two claims the same, or a new one. ok is false if one of them cannot.
func Provide(v *state.Volumes, claims []*v1.PersistentVolumeClaim, node *v1.Node) (provisions []Provision, ok bool) {
	taken := map[string]bool{}
	for _, claim := range claims {
		pv := storage.Best(v.OfClass(core.ClassOfClaim(claim)), claim, false, func(pv *v1.PersistentVolume) bool {
			return !taken[pv.Name] && state.Reaches(pv, node)
		})
		if pv == nil {
			class := v.ClassOf(claim)
			if class == nil || class.Provisioner == storage.NoProvisioner || !inTopology(class, node) {
				return nil, false
			}
		} else {
			taken[pv.Name] = true
		}
		provisions = append(provisions, Provision{claim, pv})
	}
	return provisions, true
}

// inTopology says whether a class has its volumes on such nodes.
func inTopology(class *storagev1.StorageClass, node *v1.Node) bool {
	if len(class.AllowedTopologies) == 0 {
		return true
	}
	return slices.ContainsFunc(class.AllowedTopologies, func(term v1.TopologySelectorTerm) bool {
		for _, r := range term.MatchLabelExpressions {
			if value, has := node.Labels[r.Key]; !has || !slices.Contains(r.Values, value) {
				return false
			}
		}
		return true
	})
}
