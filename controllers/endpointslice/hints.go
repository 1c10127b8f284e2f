package endpointslice

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
)

// event is what the user of a service is told.
type event struct{ eventType, reason, message string }

// hint says in the slices of one family for whom each endpoint is meant: for the consumers of its own zone or node, as the
// service's trafficDistribution asks, or, if the service's annotation asks for it, for those of zones by their share of the
// processors. A slice that is not written anyway is written only if its hints are wrong.
func (d *decision) hint(own *plan, addressType discoveryv1.AddressType) {
	var rest []*discoveryv1.EndpointSlice
	for _, slice := range d.slices {
		if slice.AddressType == addressType && !named(own.update, slice) && !named(own.remove, slice) {
			rest = append(rest, slice)
		}
	}
	if balanced(d.service) {
		d.balance(own, rest, addressType)
		return
	}
	distribution := ptr.Deref(d.service.Spec.TrafficDistribution, "")
	own.write(rest, func(e *discoveryv1.Endpoint) *discoveryv1.EndpointHints { return near(e, distribution) })
}

func named(list []*discoveryv1.EndpointSlice, slice *discoveryv1.EndpointSlice) bool {
	return slices.ContainsFunc(list, func(s *discoveryv1.EndpointSlice) bool { return s.Name == slice.Name })
}

// balanced says whether the service's annotation asks for hints by share. The older annotation counts before the newer.
func balanced(service *corev1.Service) bool {
	mode, ok := service.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]
	if !ok {
		mode = service.Annotations[corev1.AnnotationTopologyMode]
	}
	return mode == "Auto" || mode == "auto"
}

// near are the hints of an endpoint that is meant for those close to it; nil when nobody is preferred.
func near(e *discoveryv1.Endpoint, distribution string) *discoveryv1.EndpointHints {
	var hints discoveryv1.EndpointHints
	switch distribution {
	default:
		return nil
	case corev1.ServiceTrafficDistributionPreferSameNode:
		if e.NodeName != nil {
			hints.ForNodes = []discoveryv1.ForNode{{Name: *e.NodeName}}
		}
	case corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone:
	}
	if e.Zone != nil {
		hints.ForZones = []discoveryv1.ForZone{{Name: *e.Zone}}
	}
	if !isReady(e) || hints.ForNodes == nil && hints.ForZones == nil {
		return nil
	}
	return &hints
}

func isReady(e *discoveryv1.Endpoint) bool { return ptr.Deref(e.Conditions.Ready, false) }

// write gives every endpoint its hints. Of the rest, the slices whose hints are others are copied and written too.
func (p *plan) write(rest []*discoveryv1.EndpointSlice, hints func(*discoveryv1.Endpoint) *discoveryv1.EndpointHints) {
	for _, slice := range rest {
		if slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return !equality.Semantic.DeepEqual(e.Hints, hints(&e)) }) {
			p.update = append(p.update, slice.DeepCopy())
		}
	}
	for _, slice := range slices.Concat(p.create, p.update) {
		for i := range slice.Endpoints {
			slice.Endpoints[i].Hints = hints(&slice.Endpoints[i])
		}
	}
}

// balance gives each zone endpoints by its share of the cluster's processors. Endpoints go to their own zone but for as many
// as another zone lacks. Slices that are not written keep their hints while no zone has more than it may.
func (d *decision) balance(own *plan, rest []*discoveryv1.EndpointSlice, addressType discoveryv1.AddressType) {
	written := slices.Concat(own.create, own.update)
	shares, why := shareOut(d.capacity(), readyIn(written)+readyIn(rest))
	if why == "" && !zoned(slices.Concat(written, rest)) {
		why = "One or more endpoints do not have a zone specified"
	}
	if why != "" {
		own.write(rest, func(*discoveryv1.Endpoint) *discoveryv1.EndpointHints { return nil })
		d.tell(corev1.EventTypeWarning, "TopologyAwareHintsDisabled", why, addressType)
		return
	}
	given := map[string]int{}
	for _, slice := range rest {
		if !shares.keep(slice, given) {
			own.update = append(own.update, slice.DeepCopy())
		}
	}
	written = slices.Concat(own.create, own.update)
	for e := range endpointsOf(written) {
		e.Hints = nil
		if isReady(e) {
			given[*e.Zone]++
			e.Hints = forZone(*e.Zone)
		}
	}
	giving, receiving := shares.moves(given)
	for e := range endpointsOf(written) {
		if isReady(e) && giving[*e.Zone] > 0 {
			to := receiving.most()
			giving[*e.Zone]--
			receiving[to]--
			e.Hints = forZone(to)
		}
	}
	if !d.hinted() {
		d.tell(corev1.EventTypeNormal, "TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled", addressType)
	}
}

func forZone(zone string) *discoveryv1.EndpointHints {
	return &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}}
}

// hinted says whether endpoints had hints before.
func (d *decision) hinted() bool {
	for _, e := range d.listed {
		if e.Hints != nil {
			return true
		}
	}
	return false
}

func (d *decision) tell(eventType, reason, message string, addressType discoveryv1.AddressType) {
	d.plan.events = append(d.plan.events, event{eventType, reason, fmt.Sprintf("%s, addressType: %s", message, addressType)})
}

func endpointsOf(list []*discoveryv1.EndpointSlice) func(func(*discoveryv1.Endpoint) bool) {
	return func(yield func(*discoveryv1.Endpoint) bool) {
		for _, slice := range list {
			for i := range slice.Endpoints {
				if !yield(&slice.Endpoints[i]) {
					return
				}
			}
		}
	}
}

func readyIn(list []*discoveryv1.EndpointSlice) (count int) {
	for e := range endpointsOf(list) {
		if isReady(e) {
			count++
		}
	}
	return count
}

// zoned says whether all that is ready is in a zone.
func zoned(list []*discoveryv1.EndpointSlice) bool {
	for e := range endpointsOf(list) {
		if isReady(e) && ptr.Deref(e.Zone, "") == "" {
			return false
		}
	}
	return true
}
