package endpointslice

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/reconcile/backend"
)

// maxEndpoints bounds the endpoints of one slice.
const maxEndpoints = 100

// manager is the value of the label that says whose a slice is.
const manager = "endpointslice-controller.k8s.io"

// snapshot is everything that a decision is made from.
type snapshot struct {
	service *corev1.Service
	pods    []*corev1.Pod                // that the service selects
	slices  []*discoveryv1.EndpointSlice // of the service, ours
	// zone is the zone of a node ("" if it has none); ok is false when there is no such node.
	zone func(node string) (zone string, ok bool)
	// capacity is the processors of each zone; it is asked only for services whose endpoints are shared out by them.
	capacity func() map[string]int64
}

// plan is what to write.
type plan struct {
	create, update, remove []*discoveryv1.EndpointSlice
	lost                   []*corev1.Pod // pods left out because their node is gone
	events                 []event
}

// decide spreads the endpoints of a service over slices. Existing ones are changed as little as possible: every change
// goes to every node.
func decide(s snapshot) plan {
	d := decision{snapshot: s, labels: labelsOf(s.service), listed: map[endpointKey]*discoveryv1.Endpoint{}}
	for _, slice := range s.slices {
		for i := range slice.Endpoints {
			d.listed[keyOf(&slice.Endpoints[i])] = &slice.Endpoints[i]
		}
	}
	families := map[discoveryv1.AddressType]bool{}
	for _, family := range backend.Families(s.service) {
		addressType := discoveryv1.AddressType(family)
		families[addressType] = true
		d.family(family, addressType)
	}
	for _, slice := range s.slices {
		if !families[slice.AddressType] {
			d.plan.remove = append(d.plan.remove, slice)
		}
	}
	d.noteTrigger()
	return d.plan
}

type decision struct {
	snapshot
	labels  map[string]string
	listed  map[endpointKey]*discoveryv1.Endpoint // as existing slices have it
	changed []*corev1.Pod                         // pods that these do not show as they are
	plan    plan
}

// group is the endpoints of one family with the same ports; they may share slices.
type group struct {
	ports     []discoveryv1.EndpointPort
	endpoints []discoveryv1.Endpoint
}

// family plans the slices of one address family.
func (d *decision) family(family corev1.IPFamily, addressType discoveryv1.AddressType) {
	groups, order := d.groups(family)
	var own plan
	existing := 0
	byPorts := map[string][]*discoveryv1.EndpointSlice{}
	for _, slice := range d.slices {
		if slice.AddressType != addressType {
			continue
		}
		existing++
		key := portsKey(slice.Ports)
		if groups[key] == nil {
			own.remove = append(own.remove, slice)
			continue
		}
		byPorts[key] = append(byPorts[key], slice)
	}
	for _, key := range order {
		d.spread(&own, addressType, groups[key], byPorts[key])
	}
	if existing == len(own.remove) && len(own.create) == 0 {
		d.placeholder(&own, addressType)
	}
	reuse(&own)
	d.hint(&own, addressType)
	d.plan.create = append(d.plan.create, own.create...)
	d.plan.update = append(d.plan.update, own.update...)
	d.plan.remove = append(d.plan.remove, own.remove...)
}

// placeholder keeps one empty slice for a service without endpoints, so that its consumers know that there are none.
func (d *decision) placeholder(own *plan, addressType discoveryv1.AddressType) {
	empty := d.newSlice(addressType, nil, nil)
	for i, slice := range own.remove {
		if len(slice.Endpoints) == 0 && len(slice.Ports) == 0 && maps.Equal(slice.Labels, empty.Labels) {
			own.remove = slices.Delete(own.remove, i, i+1)
			return
		}
	}
	own.create = append(own.create, empty)
}

// reuse turns a deletion and a creation into an update.
func reuse(own *plan) {
	for len(own.create) > 0 && len(own.remove) > 0 {
		slice, was := own.create[0], own.remove[0]
		next := was.DeepCopy()
		next.Labels, next.Endpoints, next.Ports = slice.Labels, slice.Endpoints, slice.Ports
		next.OwnerReferences = slice.OwnerReferences
		own.update = append(own.update, next)
		own.create, own.remove = own.create[1:], own.remove[1:]
	}
}

// spread gives the endpoints of a group to slices: where they are; then to slices that change anyway; then, if all the
// rest fits into one other slice, to the fullest such; the rest to new ones.
func (d *decision) spread(own *plan, addressType discoveryv1.AddressType, g *group, existing []*discoveryv1.EndpointSlice) {
	kept, rest := d.keep(g, existing)
	for _, k := range kept {
		if k.changed && len(k.slice.Endpoints) > 0 {
			rest = k.fill(rest)
		}
	}
	if k := fullest(kept, len(rest)); k != nil {
		rest = k.fill(rest)
	}
	for _, k := range kept {
		switch {
		case len(k.slice.Endpoints) == 0:
			own.remove = append(own.remove, k.slice)
		case k.changed:
			own.update = append(own.update, k.slice)
		}
	}
	for part := range slices.Chunk(rest, maxEndpoints) {
		own.create = append(own.create, d.newSlice(addressType, g.ports, slices.Clone(part)))
	}
}

// keeping is an existing slice that is about to be written, unless it stays as it is.
type keeping struct {
	slice   *discoveryv1.EndpointSlice
	changed bool
}

func (k *keeping) fill(rest []discoveryv1.Endpoint) []discoveryv1.Endpoint {
	n := min(len(rest), maxEndpoints-len(k.slice.Endpoints))
	if n <= 0 {
		return rest
	}
	k.slice.Endpoints = append(k.slice.Endpoints, rest[:n]...)
	k.changed = true
	return rest[n:]
}

func fullest(kept []*keeping, count int) (best *keeping) {
	if count == 0 {
		return nil
	}
	for _, k := range kept {
		n := len(k.slice.Endpoints)
		if !k.changed && n > 0 && n+count <= maxEndpoints && (best == nil || n > len(best.slice.Endpoints)) {
			best = k
		}
	}
	return best
}

// keep leaves wanted endpoints in the slices where they are, up to date, and returns those that are nowhere yet.
func (d *decision) keep(g *group, existing []*discoveryv1.EndpointSlice) (kept []*keeping, rest []discoveryv1.Endpoint) {
	wanted := map[endpointKey]int{}
	for i := range g.endpoints {
		wanted[keyOf(&g.endpoints[i])] = i
	}
	placed := make([]bool, len(g.endpoints))
	for _, slice := range existing {
		next := slice.DeepCopy()
		next.Endpoints = nil
		next.Labels = d.labels
		next.Ports = g.ports
		for i := range slice.Endpoints {
			at, ok := wanted[keyOf(&slice.Endpoints[i])]
			if ok && !placed[at] {
				placed[at] = true
				next.Endpoints = append(next.Endpoints, g.endpoints[at])
			}
		}
		kept = append(kept, &keeping{slice: next, changed: !sameContent(slice, next)})
	}
	for i := range g.endpoints {
		if !placed[i] {
			rest = append(rest, g.endpoints[i])
		}
	}
	return kept, rest
}

func sameContent(a, b *discoveryv1.EndpointSlice) bool {
	return maps.Equal(a.Labels, b.Labels) && portsKey(a.Ports) == portsKey(b.Ports) &&
		equality.Semantic.DeepEqual(a.Endpoints, b.Endpoints)
}

func (d *decision) newSlice(addressType discoveryv1.AddressType, ports []discoveryv1.EndpointPort, endpoints []discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	prefix := d.service.Name + "-"
	if len(apivalidation.NameIsDNSSubdomain(prefix, true)) > 0 {
		prefix = d.service.Name
	}
	if endpoints == nil {
		endpoints = []discoveryv1.Endpoint{}
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.service.Namespace, GenerateName: prefix, Labels: d.labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d.service, corev1.SchemeGroupVersion.WithKind("Service"))},
		},
		AddressType: addressType, Ports: ports, Endpoints: endpoints,
	}
}

// labelsOf are the labels of a service's slices: the service's own, and those that consumers find slices by.
func labelsOf(service *corev1.Service) map[string]string {
	labels := maps.Clone(service.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	delete(labels, corev1.IsHeadlessService)
	if backend.Headless(service) {
		labels[corev1.IsHeadlessService] = ""
	}
	labels[discoveryv1.LabelServiceName] = service.Name
	labels[discoveryv1.LabelManagedBy] = manager
	return labels
}

// noteTrigger writes on each slice when the earliest change happened that it now shows for the first time.
func (d *decision) noteTrigger() {
	var known time.Time
	for _, slice := range d.slices {
		if at, err := time.Parse(time.RFC3339Nano, slice.Annotations[backend.TriggerTime]); err == nil && at.After(known) {
			known = at
		}
	}
	var trigger time.Time
	consider := func(at time.Time) {
		if at.After(known) && (trigger.IsZero() || at.Before(trigger)) {
			trigger = at
		}
	}
	for _, pod := range d.changed {
		consider(changedAt(pod))
	}
	if len(d.slices) == 0 {
		consider(d.service.CreationTimestamp.Time)
	}
	for _, slice := range slices.Concat(d.plan.create, d.plan.update) {
		annotations := maps.Clone(slice.Annotations)
		delete(annotations, backend.TriggerTime)
		if !trigger.IsZero() {
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[backend.TriggerTime] = trigger.UTC().Format(time.RFC3339Nano)
		}
		slice.Annotations = annotations
	}
}

// changedAt is when the pod last became ready or unready.
func changedAt(pod *corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}
