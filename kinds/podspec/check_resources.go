package podspec

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"

	"proa/kinds/meta"
)

// ValidateOverhead checks what a runtime class says that its pods need beside their containers.
func ValidateOverhead(overhead corev1.ResourceList, path *field.Path) field.ErrorList {
	c := newChecker(&corev1.PodSpec{})
	c.checkResources(path, &corev1.ResourceRequirements{Limits: overhead}, meta.ContainerResourceName)
	return c.errs
}

// checkResources holds the rules for what a container, or a pod, requests and is limited to. Resources are looked at in
// the order of their names, so that errors come out the same each time.
func (c *checker) checkResources(path *field.Path, r *corev1.ResourceRequirements, checkName func(*field.Path, corev1.ResourceName) field.ErrorList) {
	limits, requests := path.Child("limits"), path.Child("requests")
	compute, hugePages := false, false
	for _, name := range meta.Sorted(r.Limits) {
		at := limits.Key(string(name))
		c.addAll(checkName(at, name))
		c.checkQuantity(at, name, r.Limits[name])
		compute = compute || name == corev1.ResourceCPU || name == corev1.ResourceMemory
		hugePages = hugePages || meta.IsHugePages(name)
	}
	for _, name := range meta.Sorted(r.Requests) {
		at, request := requests.Key(string(name)), r.Requests[name]
		c.addAll(checkName(at, name))
		limit, limited := r.Limits[name]
		switch {
		case !limited && !meta.MayOvercommit(name):
			c.required(limits, "Limit must be set for non overcommitable resources")
		case limited && request.Cmp(limit) != 0 && !meta.MayOvercommit(name):
			c.invalid(requests, request.String(), fmt.Sprintf("must be equal to %s limit of %s", name, limit.String()))
		case limited && request.Cmp(limit) > 0:
			c.invalid(requests, request.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String()))
		}
		c.checkQuantity(at, name, request)
		compute = compute || name == corev1.ResourceCPU || name == corev1.ResourceMemory
		hugePages = hugePages || meta.IsHugePages(name)
	}
	c.forbidIf(hugePages && !compute, path, "HugePages require cpu or memory")
	c.checkClaimNames(path.Child("claims"), r.Claims)
}

func (c *checker) checkQuantity(path *field.Path, name corev1.ResourceName, quantity resource.Quantity) {
	c.addAll(meta.Quantity(path, name, quantity))
	if !meta.IsHugePages(name) {
		return
	}
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
	if err != nil || size.Sign() <= 0 || size.MilliValue()%1000 != 0 || quantity.Value()%size.Value() != 0 {
		c.invalid(path, quantity.String(), fmt.Sprintf("%s is not positive integer multiple of %s", quantity.String(), name))
	}
}

func (c *checker) checkClaimNames(path *field.Path, claims []corev1.ResourceClaim) {
	seen := sets.Set[string]{} // "claim" for a whole claim, "claim/request" for a part of it
	for i, claim := range claims {
		at := path.Index(i)
		if claim.Name == "" {
			c.required(at, "")
			continue
		}
		if claim.Request != "" && !seen.Has(claim.Name+"/") {
			c.addAll(meta.DNSLabel(at.Child("request"), claim.Request))
		}
		switch key := claim.Name + "/" + claim.Request; {
		case seen.Has(claim.Name + "/"):
			c.duplicate(at, claim.Name)
		case seen.Has(key):
			c.duplicate(at, key)
		case claim.Request == "" && claimed(seen, claim.Name):
			c.duplicate(at, claim.Name)
		default:
			seen.Insert(key)
		}
		if !c.claims.Has(claim.Name) {
			err := field.NotFound(at, claim.Name)
			err.Detail = "must be one of the names in pod.spec.resourceClaims"
			if len(c.claims) == 0 {
				err.Detail += " which is empty"
			} else {
				err.Detail += ": " + strings.Join(sets.List(c.claims), ", ")
			}
			c.add(err)
		}
	}
}

func claimed(seen sets.Set[string], name string) bool {
	for key := range seen {
		if strings.HasPrefix(key, name+"/") {
			return true
		}
	}
	return false
}

func (c *checker) checkResizePolicy(path *field.Path, policies []corev1.ContainerResizePolicy) {
	seen := map[corev1.ResourceName]bool{}
	for i, p := range policies {
		if seen[p.ResourceName] {
			c.duplicate(path.Index(i), p.ResourceName)
		}
		seen[p.ResourceName] = true
		requireOneOf(c, path, p.ResourceName, corev1.ResourceCPU, corev1.ResourceMemory)
		requireOneOf(c, path, p.RestartPolicy, corev1.NotRequired, corev1.RestartContainer)
		if c.spec.RestartPolicy == corev1.RestartPolicyNever && p.RestartPolicy != corev1.NotRequired {
			c.invalid(path, p.RestartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
		}
	}
}

// checkPodResources is about resources of the pod as a whole (KEP-2837).
func (c *checker) checkPodResources(path *field.Path) {
	r := c.spec.Resources
	if r == nil {
		return
	}
	if c.spec.OS != nil && c.spec.OS.Name == corev1.Windows {
		c.forbidden(path, "may not be set for a windows pod")
		return
	}
	c.forbidIf(r.Claims != nil, path.Child("claims"), "claims may not be set for Resources at pod-level")
	c.checkResources(path, r, podResourceName)
	c.checkPodHoldsContainers(path, r)
}

func podResourceName(path *field.Path, name corev1.ResourceName) field.ErrorList {
	errs := meta.ResourceName(path, name)
	if len(errs) == 0 && !resourcehelper.IsSupportedPodLevelResource(name) {
		errs = append(errs, field.NotSupported(path, name, sets.List(resourcehelper.SupportedPodLevelResources())))
	}
	return errs
}

// checkPodHoldsContainers: the pod's share must be enough for its containers'.
func (c *checker) checkPodHoldsContainers(path *field.Path, r *corev1.ResourceRequirements) {
	pod := &corev1.Pod{Spec: *c.spec}
	needs := resourcehelper.AggregateContainerRequests(pod, resourcehelper.PodResourcesOptions{})
	for _, name := range meta.Sorted(needs) {
		need := needs[name]
		if has, ok := r.Requests[name]; ok && need.Cmp(has) > 0 {
			c.invalid(path.Child("requests").Key(string(name)), has.String(), "must be greater than or equal to aggregate container requests of "+need.String())
		}
	}
	limits := resourcehelper.AggregateContainerLimits(pod, resourcehelper.PodResourcesOptions{})
	for _, name := range meta.Sorted(limits) {
		limit := limits[name]
		if has, ok := r.Limits[name]; ok && meta.IsHugePages(name) && limit.Cmp(has) > 0 {
			c.invalid(path.Child("limits").Key(string(name)), has.String(), "must be greater than or equal to aggregate container limits of "+limit.String())
		}
	}
	for i, container := range c.spec.Containers {
		for _, name := range meta.Sorted(container.Resources.Limits) {
			limit := container.Resources.Limits[name]
			if has, ok := r.Limits[name]; ok && limit.Cmp(has) > 0 {
				c.invalid(path.Child("containers").Index(i).Key(string(name)).Child("limits"), limit.String(), "must be less than or equal to pod limits of "+has.String())
			}
		}
	}
}
