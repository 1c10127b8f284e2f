package state

import (
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"proa/kinds/core"
	"proa/kinds/podspec"
)

// Volumes is what is known of claims, volumes and classes, and which placed pods use which claim.
type Volumes struct {
	claims  map[claimKey]*v1.PersistentVolumeClaim
	volumes map[string]*v1.PersistentVolume
	classes map[string]*storagev1.StorageClass
	users   map[claimKey]int
	byClass map[string][]*v1.PersistentVolume // by name within a class; made when first asked for
}

type claimKey struct{ namespace, name string }

func newVolumes() *Volumes {
	return &Volumes{
		claims: map[claimKey]*v1.PersistentVolumeClaim{}, volumes: map[string]*v1.PersistentVolume{},
		classes: map[string]*storagev1.StorageClass{}, users: map[claimKey]int{},
	}
}

// SetClaim takes the newest version of a claim.
func (v *Volumes) SetClaim(c *v1.PersistentVolumeClaim) { v.claims[claimKey{c.Namespace, c.Name}] = c }

// DeleteClaim forgets a claim.
func (v *Volumes) DeleteClaim(namespace, name string) { delete(v.claims, claimKey{namespace, name}) }

// SetVolume takes the newest version of a volume.
func (v *Volumes) SetVolume(pv *v1.PersistentVolume) { v.volumes[pv.Name], v.byClass = pv, nil }

// DeleteVolume forgets a volume.
func (v *Volumes) DeleteVolume(name string) {
	delete(v.volumes, name)
	v.byClass = nil
}

// SetClass takes the newest version of a storage class.
func (v *Volumes) SetClass(c *storagev1.StorageClass) { v.classes[c.Name] = c }

// DeleteClass forgets a storage class.
func (v *Volumes) DeleteClass(name string) { delete(v.classes, name) }

// Claim is nil if there is none of that name.
func (v *Volumes) Claim(namespace, name string) *v1.PersistentVolumeClaim {
	return v.claims[claimKey{namespace, name}]
}

// Volume is nil if there is none of that name.
func (v *Volumes) Volume(name string) *v1.PersistentVolume { return v.volumes[name] }

// ClassOf is the class of a claim, nil if it names none or one that does not exist.
func (v *Volumes) ClassOf(c *v1.PersistentVolumeClaim) *storagev1.StorageClass {
	return v.classes[core.ClassOfClaim(c)]
}

// OfClass are the volumes of a class, by name.
func (v *Volumes) OfClass(class string) []*v1.PersistentVolume {
	if v.byClass == nil {
		v.byClass = map[string][]*v1.PersistentVolume{}
		for _, name := range slices.Sorted(maps.Keys(v.volumes)) {
			pv := v.volumes[name]
			v.byClass[core.ClassOfVolume(pv)] = append(v.byClass[core.ClassOfVolume(pv)], pv)
		}
	}
	return v.byClass[class]
}

// Users is how many placed pods use a claim.
func (v *Volumes) Users(namespace, claim string) int { return v.users[claimKey{namespace, claim}] }

func (v *Volumes) count(pod *v1.Pod, sign int) {
	for name := range podspec.Claims(pod) {
		key := claimKey{pod.Namespace, name}
		if v.users[key] += sign; v.users[key] == 0 {
			delete(v.users, key)
		}
	}
}

// Reaches says whether a volume can be used on a node.
func Reaches(pv *v1.PersistentVolume, node *v1.Node) bool {
	if pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil {
		return true
	}
	match, err := nodeaffinity.NewLazyErrorNodeSelector(pv.Spec.NodeAffinity.Required).Match(node)
	return err == nil && match
}
