// Package quota says what of a namespace's ResourceQuotas an object uses.
//
// It decides nothing on its own: every function is pure. Admission calls it to hold a write against the quotas, their controller
// to count what is there.
package quota

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// Table is where ResourceQuotas are kept.
const Table = "resourcequotas"

// counted are tables whose objects have a name of their own among the resources, beside "count/TABLE".
var counted = map[string]corev1.ResourceName{
	"pods": corev1.ResourcePods, "services": corev1.ResourceServices, "configmaps": corev1.ResourceConfigMaps, "secrets": corev1.ResourceSecrets,
	"replicationcontrollers": corev1.ResourceReplicationControllers, Table: corev1.ResourceQuotas,
	"persistentvolumeclaims": corev1.ResourcePersistentVolumeClaims,
}

// Usage is what the object of a table uses of the quota's resources; nothing if the quota is about others.
func Usage(quota *corev1.ResourceQuota, table string, obj resource.Object, now time.Time) corev1.ResourceList {
	if !inScope(quota, obj) {
		return nil
	}
	all := uses(table, obj, now)
	used := corev1.ResourceList{}
	for name := range quota.Spec.Hard {
		if q, ok := all[name]; ok {
			used[name] = q
		}
	}
	return used
}

// Concerns says whether objects of the table may use anything of the quota.
func Concerns(quota *corev1.ResourceQuota, table string) bool {
	for name := range quota.Spec.Hard {
		if name == countOf(table) || name == counted[table] {
			return true
		}
		switch table {
		case "pods":
			if isCompute(name) {
				return true
			}
		case "services":
			if name == corev1.ResourceServicesNodePorts || name == corev1.ResourceServicesLoadBalancers {
				return true
			}
		}
	}
	return false
}

func countOf(table string) corev1.ResourceName { return corev1.ResourceName("count/" + table) }

// isCompute: what pods request and may use at most.
func isCompute(name corev1.ResourceName) bool {
	text := string(name)
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage || meta.IsHugePages(name) ||
		strings.HasPrefix(text, "limits.") || strings.HasPrefix(text, "requests.") && name != corev1.ResourceRequestsStorage
}

func uses(table string, obj resource.Object, now time.Time) corev1.ResourceList {
	one := *quantity.NewQuantity(1, quantity.DecimalSI)
	list := corev1.ResourceList{countOf(table): one}
	if name, ok := counted[table]; ok {
		list[name] = one
	}
	switch o := obj.(type) {
	case *corev1.Pod:
		if ended(o, now) { // it is still an object, and no more
			return corev1.ResourceList{countOf(table): one}
		}
		addPod(list, o)
	case *corev1.Service:
		addService(list, o)
	}
	return list
}

// ended pods use nothing: they have come to their end, or should have by now.
func ended(pod *corev1.Pod, now time.Time) bool {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return true
	}
	return pod.DeletionTimestamp != nil && pod.DeletionGracePeriodSeconds != nil &&
		now.After(pod.DeletionTimestamp.Add(time.Duration(*pod.DeletionGracePeriodSeconds)*time.Second))
}

func addPod(list corev1.ResourceList, pod *corev1.Pod) {
	for name, q := range podspec.Requests(pod) {
		list[corev1.DefaultResourceRequestsPrefix+name] = q
		if !meta.IsExtended(name) {
			list[name] = q
		}
	}
	for name, q := range podspec.Limits(pod) {
		if !meta.IsExtended(name) && !meta.IsHugePages(name) {
			list["limits."+name] = q
		}
	}
}

func addService(list corev1.ResourceList, s *corev1.Service) {
	ports := int64(0)
	switch s.Spec.Type {
	case corev1.ServiceTypeNodePort:
		ports = int64(len(s.Spec.Ports))
	case corev1.ServiceTypeLoadBalancer:
		list[corev1.ResourceServicesLoadBalancers] = *quantity.NewQuantity(1, quantity.DecimalSI)
		if s.Spec.AllocateLoadBalancerNodePorts == nil || *s.Spec.AllocateLoadBalancerNodePorts {
			ports = int64(len(s.Spec.Ports))
		} else {
			for _, p := range s.Spec.Ports {
				if p.NodePort != 0 {
					ports++
				}
			}
		}
	}
	if ports > 0 {
		list[corev1.ResourceServicesNodePorts] = *quantity.NewQuantity(ports, quantity.DecimalSI)
	}
}

// inScope says whether the quota is about such objects: scopes pick pods.
func inScope(quota *corev1.ResourceQuota, obj resource.Object) bool {
	var all []corev1.ScopedResourceSelectorRequirement
	for _, scope := range quota.Spec.Scopes {
		all = append(all, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
	}
	if quota.Spec.ScopeSelector != nil {
		all = append(all, quota.Spec.ScopeSelector.MatchExpressions...)
	}
	if len(all) == 0 {
		return true
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return false
	}
	for _, r := range all {
		if !podInScope(pod, r) {
			return false
		}
	}
	return true
}

func podInScope(pod *corev1.Pod, r corev1.ScopedResourceSelectorRequirement) bool {
	terminating := pod.Spec.ActiveDeadlineSeconds != nil && *pod.Spec.ActiveDeadlineSeconds >= 0
	bestEffort := podspec.QOSClass(pod) == corev1.PodQOSBestEffort
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return terminating
	case corev1.ResourceQuotaScopeNotTerminating:
		return !terminating
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return crossesNamespaces(pod)
	case corev1.ResourceQuotaScopePriorityClass:
		class := pod.Spec.PriorityClassName
		switch r.Operator {
		case corev1.ScopeSelectorOpExists:
			return class != ""
		case corev1.ScopeSelectorOpDoesNotExist:
			return class == ""
		case corev1.ScopeSelectorOpIn:
			return slices.Contains(r.Values, class)
		case corev1.ScopeSelectorOpNotIn:
			return !slices.Contains(r.Values, class)
		}
	}
	return false
}

// crossesNamespaces says whether the pod's placement depends on pods of other namespaces.
func crossesNamespaces(pod *corev1.Pod) bool {
	if pod.Spec.Affinity == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	if a := pod.Spec.Affinity.PodAffinity; a != nil {
		terms = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...)
		for _, w := range a.PreferredDuringSchedulingIgnoredDuringExecution {
			terms = append(terms, w.PodAffinityTerm)
		}
	}
	if a := pod.Spec.Affinity.PodAntiAffinity; a != nil {
		terms = append(terms, a.RequiredDuringSchedulingIgnoredDuringExecution...)
		for _, w := range a.PreferredDuringSchedulingIgnoredDuringExecution {
			terms = append(terms, w.PodAffinityTerm)
		}
	}
	return slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool { return len(t.Namespaces) > 0 || t.NamespaceSelector != nil })
}

// Missing are the resources of the quota that a pod must say something about and does not, with the containers that leave it
// out: what is limited for all must be stated by each. It is empty for pods that the quota is not about.
func Missing(quota *corev1.ResourceQuota, pod *corev1.Pod) []string {
	if !inScope(quota, pod) {
		return nil
	}
	lacking := map[corev1.ResourceName][]string{}
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			for name := range quota.Spec.Hard {
				if mustBeStated(name) && !states(&containers[i].Resources, pod.Spec.Resources, name) {
					lacking[name] = append(lacking[name], containers[i].Name)
				}
			}
		}
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(lacking)) {
		slices.Sort(lacking[name])
		texts = append(texts, fmt.Sprintf("%s for: %s", name, strings.Join(lacking[name], ",")))
	}
	return texts
}

func mustBeStated(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory:
		return true
	}
	return false
}

func states(container *corev1.ResourceRequirements, pod *corev1.ResourceRequirements, name corev1.ResourceName) bool {
	for _, r := range []*corev1.ResourceRequirements{container, pod} {
		if r == nil {
			continue
		}
		list, plain := r.Requests, strings.TrimPrefix(string(name), "requests.")
		if rest, limit := strings.CutPrefix(string(name), "limits."); limit {
			list, plain = r.Limits, rest
		}
		if _, ok := list[corev1.ResourceName(plain)]; ok {
			return true
		}
	}
	return false
}
