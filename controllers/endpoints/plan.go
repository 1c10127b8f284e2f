package endpoints

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/reconcile/backend"
	"proa/reconcile/podstate"
)

const (
	// maxAddresses bounds one Endpoints object; what is beyond is left out and said so.
	maxAddresses = 1000
	truncated    = "truncated"
	managedBy    = "endpoints.kubernetes.io/managed-by"
	manager      = "endpoint-controller"
)

// decide computes the Endpoints of a service from the pods that it selects. current is what is stored, nil if nothing is;
// changed is false when that is as it should be.
func decide(service *corev1.Service, pods []*corev1.Pod, current *corev1.Endpoints) (next *corev1.Endpoints, changed bool) {
	next = &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name}}
	if current != nil {
		next = current.DeepCopy()
	}
	next.Subsets = subsets(service, pods)
	next.Labels = labelsOf(service)
	next.Annotations = maps.Clone(next.Annotations)
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	delete(next.Annotations, corev1.EndpointsOverCapacity)
	if truncate(next.Subsets) {
		next.Annotations[corev1.EndpointsOverCapacity] = truncated
		next.Subsets = slices.DeleteFunc(next.Subsets, empty)
	}
	if current != nil && equality.Semantic.DeepEqual(current, next) {
		return next, false
	}
	noteTrigger(next, service, pods, current)
	return next, true
}

func labelsOf(service *corev1.Service) map[string]string {
	labels := maps.Clone(service.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, corev1.IsHeadlessService)
	if backend.Headless(service) {
		labels[corev1.IsHeadlessService] = ""
	}
	labels[managedBy] = manager
	return labels
}

// member is one pod in the making of subsets.
type member struct {
	address corev1.EndpointAddress
	ready   bool
	ports   []corev1.EndpointPort
}

// subsets are groups of addresses that have the same ports.
func subsets(service *corev1.Service, pods []*corev1.Pod) []corev1.EndpointSubset {
	groups := map[string]*corev1.EndpointSubset{}
	var order []string
	for _, pod := range pods {
		m, ok := memberOf(service, pod)
		if !ok {
			continue
		}
		key := portsKey(m.ports)
		if groups[key] == nil {
			groups[key] = &corev1.EndpointSubset{Ports: m.ports}
			order = append(order, key)
		}
		if m.ready {
			groups[key].Addresses = append(groups[key].Addresses, m.address)
		} else {
			groups[key].NotReadyAddresses = append(groups[key].NotReadyAddresses, m.address)
		}
	}
	slices.Sort(order)
	var list []corev1.EndpointSubset
	for _, key := range order {
		slices.SortFunc(groups[key].Addresses, byIP)
		slices.SortFunc(groups[key].NotReadyAddresses, byIP)
		list = append(list, *groups[key])
	}
	return list
}

// memberOf describes a pod; ok is false when it is no endpoint of the service.
func memberOf(service *corev1.Service, pod *corev1.Pod) (m member, ok bool) {
	if !backend.Listed(pod, service.Spec.PublishNotReadyAddresses) {
		return m, false
	}
	family := backend.Families(service)[0]
	for _, address := range backend.Addresses(pod) {
		if backend.Of(family, address) {
			m.address.IP = address.String()
			break
		}
	}
	if m.address.IP == "" {
		return m, false
	}
	if pod.Spec.NodeName != "" {
		m.address.NodeName = &pod.Spec.NodeName
	}
	m.address.Hostname = backend.Hostname(service, pod)
	m.address.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
	m.ready = service.Spec.PublishNotReadyAddresses || podstate.Ready(pod)
	for i := range service.Spec.Ports {
		from := &service.Spec.Ports[i]
		number, err := backend.Port(pod, from)
		if err != nil {
			continue
		}
		m.ports = append(m.ports, corev1.EndpointPort{
			Name: from.Name, Port: number, Protocol: from.Protocol, AppProtocol: from.AppProtocol,
		})
	}
	slices.SortFunc(m.ports, func(a, b corev1.EndpointPort) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	// Only a headless service may do without ports.
	return m, len(m.ports) > 0 || len(service.Spec.Ports) == 0 && backend.Headless(service)
}

func portsKey(ports []corev1.EndpointPort) string {
	var key strings.Builder
	for _, p := range ports {
		fmt.Fprintf(&key, "%s/%d/%s,", p.Name, p.Port, p.Protocol)
	}
	return key.String()
}

func byIP(a, b corev1.EndpointAddress) int { return strings.Compare(a.IP, b.IP) }

func empty(s corev1.EndpointSubset) bool { return len(s.Addresses)+len(s.NotReadyAddresses) == 0 }

// truncate cuts subsets down to maxAddresses in all, in proportion, ready ones before others; it says whether it had to.
func truncate(subsets []corev1.EndpointSubset) bool {
	ready, unready := 0, 0
	for _, s := range subsets {
		ready += len(s.Addresses)
		unready += len(s.NotReadyAddresses)
	}
	if ready+unready <= maxAddresses {
		return false
	}
	keepReady := min(ready, maxAddresses)
	keepUnready := maxAddresses - keepReady
	for i := range subsets {
		s := &subsets[i]
		keep := share(len(s.Addresses), ready, keepReady)
		ready, keepReady = ready-len(s.Addresses), keepReady-keep
		s.Addresses = s.Addresses[:keep]
		keep = share(len(s.NotReadyAddresses), unready, keepUnready)
		unready, keepUnready = unready-len(s.NotReadyAddresses), keepUnready-keep
		s.NotReadyAddresses = s.NotReadyAddresses[:keep]
	}
	return true
}

// share is what one part of a total keeps when the total is cut to keep; the last part takes what rounding left.
func share(part, total, keep int) int {
	if total == 0 {
		return 0
	}
	return min(part, (part*keep+total/2)/total)
}

// noteTrigger writes down when the earliest change happened that was not shown yet.
func noteTrigger(next *corev1.Endpoints, service *corev1.Service, pods []*corev1.Pod, current *corev1.Endpoints) {
	var known, trigger time.Time
	consider := func(at time.Time) {
		if at.After(known) && (trigger.IsZero() || at.Before(trigger)) {
			trigger = at
		}
	}
	if current == nil {
		consider(service.CreationTimestamp.Time)
	} else if at, err := time.Parse(time.RFC3339Nano, current.Annotations[backend.TriggerTime]); err == nil {
		known = at
	}
	if current != nil && equality.Semantic.DeepEqual(current.Subsets, next.Subsets) {
		pods = nil // only labels change
	}
	for _, pod := range pods {
		if c := podstate.Condition(pod, corev1.PodReady); c != nil {
			consider(c.LastTransitionTime.Time)
		}
	}
	delete(next.Annotations, backend.TriggerTime)
	if !trigger.IsZero() {
		next.Annotations[backend.TriggerTime] = trigger.UTC().Format(time.RFC3339Nano)
	}
}
