package podspec

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

func (c *checker) checkClaimStatuses(path *field.Path, statuses []corev1.PodResourceClaimStatus) {
	known, seen := map[string]bool{}, map[string]bool{}
	for _, claim := range c.spec.ResourceClaims {
		known[claim.Name] = true
	}
	for i, s := range statuses {
		at := path.Index(i)
		if !known[s.Name] {
			c.invalid(at.Child("name"), s.Name, "must match the name of an entry in `spec.resourceClaims`")
		}
		if seen[s.Name] {
			c.duplicate(at.Child("name"), s.Name)
		}
		seen[s.Name] = true
		if s.ResourceClaimName != nil {
			c.each(at.Child("resourceClaimName"), *s.ResourceClaimName, validation.NameIsDNSSubdomain(*s.ResourceClaimName, false))
		}
	}
}

// checkExtendedClaim: the claim that the scheduler made for extended resources says which request of it is for what.
func (c *checker) checkExtendedClaim(path *field.Path, s *corev1.PodExtendedResourceClaimStatus) {
	if s == nil {
		return
	}
	mappings := path.Child("requestMappings")
	if len(s.RequestMappings) == 0 {
		c.required(mappings, "at least one request mapping is required")
	}
	for i, m := range s.RequestMappings {
		at := mappings.Index(i)
		if container := c.container(m.ContainerName); container == nil {
			c.invalid(at.Child("containerName"), m.ContainerName, "must match the name of an entry in spec.initContainers.name or spec.containers.name")
		} else if _, asked := container.Resources.Requests[corev1.ResourceName(m.ResourceName)]; !asked {
			c.invalid(at.Child("resourceName"), m.ResourceName, "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests")
		}
		c.addAll(meta.DNSLabel(path.Child("requestName"), m.RequestName))
		if slices.Contains(s.RequestMappings[:i], m) {
			c.duplicate(at.Child("containerName"), m.ContainerName)
			c.duplicate(at.Child("resourceName"), m.ResourceName)
			c.duplicate(at.Child("requestName"), m.RequestName)
		}
	}
	if s.ResourceClaimName == "" {
		c.required(path.Child("resourceClaimName"), "")
	} else {
		c.each(path.Child("resourceClaimName"), s.ResourceClaimName, validation.NameIsDNSSubdomain(s.ResourceClaimName, false))
	}
}

// container finds a container of the pod, ephemeral ones apart, by its name.
func (c *checker) container(name string) *corev1.Container {
	for _, list := range [][]corev1.Container{c.spec.Containers, c.spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// longestHealthMessage bounds what a device says of its health, in bytes.
const longestHealthMessage = 2048

// checkAllocated: a container has a health only for what it asks for. Ephemeral containers ask for nothing.
func (c *checker) checkAllocated(list statusList) {
	for i := range list.now {
		status, path := &list.now[i], list.path.Index(i).Child("allocatedResourcesStatus")
		if list.ephemeral {
			c.forbidIf(len(status.AllocatedResourcesStatus) > 0, path, "must not be specified in container status")
			continue
		}
		for j := range status.AllocatedResourcesStatus {
			c.checkHealths(path.Index(j), &status.AllocatedResourcesStatus[j], list, status.Name)
		}
	}
}

func (c *checker) checkHealths(path *field.Path, s *corev1.ResourceStatus, list statusList, name string) {
	at := slices.IndexFunc(list.containers, func(c corev1.Container) bool { return c.Name == name })
	if at >= 0 {
		if asks, detail := asksFor(&list.containers[at].Resources, s.Name); !asks {
			c.invalid(path.Child("name"), s.Name, detail)
		}
	}
	seen := map[corev1.ResourceID]bool{}
	for k, r := range s.Resources {
		at := path.Child("resources").Index(k)
		oneOf(c, at.Child("health"), r.Health, corev1.ResourceHealthStatusHealthy, corev1.ResourceHealthStatusUnhealthy, corev1.ResourceHealthStatusUnknown)
		switch {
		case r.Message == nil:
		case *r.Message == "":
			c.required(at.Child("message"), "must be non-empty if specified")
		case len(*r.Message) > longestHealthMessage:
			c.add(field.TooLong(at.Child("message"), *r.Message, longestHealthMessage))
		}
		if seen[r.ResourceID] {
			c.duplicate(at.Child("resourceID"), r.ResourceID)
		}
		seen[r.ResourceID] = true
	}
}

// asksFor says whether a container asks for a resource, or for a claim that is named "claim:NAME/REQUEST".
func asksFor(r *corev1.ResourceRequirements, name corev1.ResourceName) (asks bool, detail string) {
	if !strings.HasPrefix(string(name), "claim:") {
		_, asks = r.Requests[name]
		return asks, "must match one of the container's resource requests"
	}
	for _, claim := range r.Claims {
		known := "claim:" + claim.Name
		if claim.Request != "" {
			known += "/" + claim.Request
		}
		asks = asks || known == string(name)
	}
	return asks, "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
}
