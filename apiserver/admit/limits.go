package admit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	resourcehelper "k8s.io/component-helpers/resource"
)

const limitsAnnotation = "kubernetes.io/limit-ranger"

// limitedPod is the pod that limit ranges apply to: a new one, or one whose resources are changed in place.
func limitedPod(a *Attributes) *corev1.Pod {
	if a.Operation == Update && a.Resource.Table() == "pods" && a.Subresource == "resize" {
		pod, _ := a.Object.(*corev1.Pod)
		return pod
	}
	return podCreate(a)
}

// defaultLimits fills in what a container leaves out of requests and limits.
func defaultLimits(_ context.Context, a *Attributes) error {
	pod := limitedPod(a)
	if pod == nil {
		return nil
	}
	for limits := range all[*corev1.LimitRange](a, "limitranges", a.Namespace) {
		fillLimits(pod, containerDefaults(limits))
	}
	return nil
}

func containerDefaults(limits *corev1.LimitRange) corev1.ResourceRequirements {
	out := corev1.ResourceRequirements{Limits: corev1.ResourceList{}, Requests: corev1.ResourceList{}}
	for _, limit := range limits.Spec.Limits {
		if limit.Type != corev1.LimitTypeContainer {
			continue
		}
		for name, q := range limit.DefaultRequest {
			out.Requests[name] = q.DeepCopy()
		}
		for name, q := range limit.Default {
			out.Limits[name] = q.DeepCopy()
		}
	}
	return out
}

func fillLimits(pod *corev1.Pod, defaults corev1.ResourceRequirements) {
	var told []string
	for i := range pod.Spec.Containers {
		told = append(told, fillContainer(&pod.Spec.Containers[i], defaults, "container")...)
	}
	for i := range pod.Spec.InitContainers {
		told = append(told, fillContainer(&pod.Spec.InitContainers[i], defaults, "init container")...)
	}
	if len(told) == 0 {
		return
	}
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[limitsAnnotation] = "LimitRanger plugin set: " + strings.Join(told, "; ")
}

func fillContainer(c *corev1.Container, defaults corev1.ResourceRequirements, what string) (told []string) {
	fill := func(list *corev1.ResourceList, from corev1.ResourceList, kind string) {
		var set []string
		for name, q := range from {
			if _, ok := (*list)[name]; ok {
				continue
			}
			if *list == nil {
				*list = corev1.ResourceList{}
			}
			(*list)[name] = q.DeepCopy()
			set = append(set, string(name))
		}
		if len(set) > 0 {
			slices.Sort(set)
			told = append(told, fmt.Sprintf("%s %s for %s %s", strings.Join(set, ", "), kind, what, c.Name))
		}
	}
	fill(&c.Resources.Requests, defaults.Requests, "request")
	fill(&c.Resources.Limits, defaults.Limits, "limit")
	return told
}

// limitedClaim is the claim that limit ranges apply to: a new one, or one that changes and is not being deleted.
func limitedClaim(a *Attributes) *corev1.PersistentVolumeClaim {
	if a.Subresource != "" || a.Old != nil && a.Old.GetDeletionTimestamp() != nil {
		return nil
	}
	claim, _ := a.Object.(*corev1.PersistentVolumeClaim)
	return claim
}

// checkLimits refuses pods and claims outside of the bounds of their namespace.
func checkLimits(_ context.Context, a *Attributes) error {
	pod, claim := limitedPod(a), limitedClaim(a)
	if pod == nil && claim == nil {
		return nil
	}
	for limits := range all[*corev1.LimitRange](a, "limitranges", a.Namespace) {
		var errs []error
		for i := range limits.Spec.Limits {
			if claim != nil {
				errs = append(errs, checkClaimLimit(&limits.Spec.Limits[i], claim)...)
			} else {
				errs = append(errs, checkLimit(&limits.Spec.Limits[i], pod)...)
			}
		}
		if len(errs) > 0 {
			return Forbidden(a, utilerrors.NewAggregate(errs))
		}
	}
	return nil
}

func checkLimit(limit *corev1.LimitRangeItem, pod *corev1.Pod) (errs []error) {
	switch limit.Type {
	case corev1.LimitTypeContainer:
		for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
			for i := range containers {
				errs = append(errs, checkBounds(limit, containers[i].Resources.Requests, containers[i].Resources.Limits)...)
			}
		}
	case corev1.LimitTypePod:
		opts := resourcehelper.PodResourcesOptions{}
		errs = checkBounds(limit, resourcehelper.PodRequests(pod, opts), resourcehelper.PodLimits(pod, opts))
	}
	return errs
}

// checkClaimLimit looks at what a claim requests alone: a limit is nothing that claims have.
func checkClaimLimit(limit *corev1.LimitRangeItem, claim *corev1.PersistentVolumeClaim) (errs []error) {
	if limit.Type != corev1.LimitTypePersistentVolumeClaim {
		return nil
	}
	errs = checkBounds(&corev1.LimitRangeItem{Type: limit.Type, Min: limit.Min}, claim.Spec.Resources.Requests, nil)
	for name, bound := range limit.Max {
		text := fmt.Sprintf("maximum %s usage per %s is %s", name, limit.Type, bound.String())
		if request, ok := claim.Spec.Resources.Requests[name]; !ok {
			errs = append(errs, fmt.Errorf("%s.  No request is specified", text))
		} else if request.Cmp(bound) > 0 {
			errs = append(errs, fmt.Errorf("%s, but request is %s", text, request.String()))
		}
	}
	return errs
}

func checkBounds(limit *corev1.LimitRangeItem, requests, limits corev1.ResourceList) (errs []error) {
	for _, rule := range []struct {
		bounds corev1.ResourceList
		check  func(kind corev1.LimitType, name corev1.ResourceName, bound, request, limit resource.Quantity, hasRequest, hasLimit bool) error
	}{{limit.Min, atLeast}, {limit.Max, atMost}, {limit.MaxLimitRequestRatio, ratioAtMost}} {
		for name, bound := range rule.bounds {
			request, hasRequest := requests[name]
			most, hasLimit := limits[name]
			if err := rule.check(limit.Type, name, bound, request, most, hasRequest, hasLimit); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

func atLeast(kind corev1.LimitType, name corev1.ResourceName, bound, request, limit resource.Quantity, hasRequest, hasLimit bool) error {
	text := fmt.Sprintf("minimum %s usage per %s is %s", name, kind, bound.String())
	switch {
	case !hasRequest:
		return fmt.Errorf("%s.  No request is specified", text)
	case request.Cmp(bound) < 0:
		return fmt.Errorf("%s, but request is %s", text, request.String())
	case hasLimit && limit.Cmp(bound) < 0:
		return fmt.Errorf("%s, but limit is %s", text, limit.String())
	}
	return nil
}

func atMost(kind corev1.LimitType, name corev1.ResourceName, bound, request, limit resource.Quantity, hasRequest, hasLimit bool) error {
	text := fmt.Sprintf("maximum %s usage per %s is %s", name, kind, bound.String())
	switch {
	case !hasLimit:
		return fmt.Errorf("%s.  No limit is specified", text)
	case limit.Cmp(bound) > 0:
		return fmt.Errorf("%s, but limit is %s", text, limit.String())
	case hasRequest && request.Cmp(bound) > 0:
		return fmt.Errorf("%s, but request is %s", text, request.String())
	}
	return nil
}

func ratioAtMost(kind corev1.LimitType, name corev1.ResourceName, bound, request, limit resource.Quantity, hasRequest, hasLimit bool) error {
	text := fmt.Sprintf("%s max limit to request ratio per %s is %s", name, kind, bound.String())
	switch {
	case !hasRequest || request.IsZero():
		return fmt.Errorf("%s, but no request is specified or request is 0", text)
	case !hasLimit || limit.IsZero():
		return fmt.Errorf("%s, but no limit is specified or limit is 0", text)
	}
	if ratio := limit.AsApproximateFloat64() / request.AsApproximateFloat64(); ratio > bound.AsApproximateFloat64() {
		return fmt.Errorf("%s, but provided ratio is %f", text, ratio)
	}
	return nil
}
