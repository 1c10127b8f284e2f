package evict

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"
)

// Limited says whether a pod has a limit on local storage: without one, nobody has to measure what it takes.
func Limited(p *v1.Pod) bool {
	for i := range p.Spec.Volumes {
		if s := p.Spec.Volumes[i].EmptyDir; s != nil && s.Medium == v1.StorageMediumDefault && s.SizeLimit != nil && s.SizeLimit.Sign() > 0 {
			return true
		}
	}
	_, limited := resource.PodLimits(p, resource.PodResourcesOptions{})[v1.ResourceEphemeralStorage]
	return limited
}

// OverLimit lists the pods that end because they broke a limit on local storage: of an emptyDir, of the pod, of a container.
func OverLimit(all []Usage, imagesApart bool) []Eviction {
	var evictions []Eviction
	for i := range all {
		u := &all[i]
		if !u.Known || Critical(u.Pod) {
			continue
		}
		if message := u.broken(imagesApart); message != "" {
			evictions = append(evictions, Eviction{Pod: u.Pod, Message: message, Grace: hardGrace})
		}
	}
	return evictions
}

// broken says which limit is, "" for none.
func (u *Usage) broken(imagesApart bool) string {
	for i := range u.Pod.Spec.Volumes {
		volume := &u.Pod.Spec.Volumes[i]
		if volume.EmptyDir == nil || volume.EmptyDir.SizeLimit == nil || volume.EmptyDir.SizeLimit.Sign() <= 0 {
			continue
		}
		if used := u.Volumes[volume.Name].Bytes; used > volume.EmptyDir.SizeLimit.Value() {
			return fmt.Sprintf("Usage of EmptyDir volume %q exceeds the limit %q. ", volume.Name, volume.EmptyDir.SizeLimit.String())
		}
	}
	whole, ok := resource.PodLimits(u.Pod, resource.PodResourcesOptions{})[v1.ResourceEphemeralStorage]
	if ok && u.storage(imagesApart).Bytes > whole.Value() {
		return fmt.Sprintf("Pod ephemeral local storage usage exceeds the total limit of containers %s. ", whole.String())
	}
	for _, c := range u.Containers {
		used := c.Logs.Bytes
		if !imagesApart {
			used += c.Layer.Bytes
		}
		for i := range u.Pod.Spec.Containers {
			spec := &u.Pod.Spec.Containers[i]
			limit, ok := spec.Resources.Limits[v1.ResourceEphemeralStorage]
			if spec.Name == c.Name && ok && !limit.IsZero() && used > limit.Value() {
				return fmt.Sprintf("Container %s exceeded its local ephemeral storage limit %q. ", c.Name, limit.String())
			}
		}
	}
	return ""
}
