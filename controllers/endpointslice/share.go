package endpointslice

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// overload is by how much an endpoint of a zone may get more traffic than one of another, as upstream bounds it.
const overload = 0.2

// share is how many endpoints a zone gets.
type share struct {
	least, most int
	desired     float64
}

type shares map[string]share

// counts is a number of endpoints for each zone.
type counts map[string]int

// most is the zone with the highest count, the first of their names among equals; "" if all are 0.
func (c counts) most() (zone string) {
	for _, z := range slices.Sorted(maps.Keys(c)) {
		if c[z] > c[zone] {
			zone = z
		}
	}
	return zone
}

// capacity adds up the processors of the ready nodes by their zone, in thousandths. It is nil when one of them does not say
// its zone or has none. Nodes that are there for the control plane do not count.
func capacity(nodes iter.Seq[*corev1.Node]) map[string]int64 {
	byZone := map[string]int64{}
	for node := range nodes {
		_, controlPlane := node.Labels["node-role.kubernetes.io/control-plane"]
		_, master := node.Labels["node-role.kubernetes.io/master"]
		if controlPlane || master || !ready(node) {
			continue
		}
		zone, cpu := node.Labels[corev1.LabelTopologyZone], node.Status.Allocatable.Cpu().MilliValue()
		if zone == "" || cpu == 0 {
			return nil
		}
		byZone[zone] += cpu
	}
	return byZone
}

func ready(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// shareOut decides how many of the endpoints each zone gets; why says why none can be shared out.
func shareOut(byZone map[string]int64, endpoints int) (out shares, why string) {
	switch {
	case len(byZone) < 2:
		return nil, "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
	case len(byZone) > endpoints:
		return nil, fmt.Sprintf("Insufficient number of endpoints (%d endpoints, %d zones)", endpoints, len(byZone))
	}
	var total int64
	for _, cpu := range byZone {
		total += cpu
	}
	out = shares{}
	spare := endpoints
	for zone, cpu := range byZone {
		desired := float64(cpu) / float64(total) * float64(endpoints)
		least := int(math.Ceil(desired / (1 + overload)))
		out[zone] = share{least: least, desired: max(desired, float64(least))}
		spare -= least
	}
	if spare < 0 {
		return nil, fmt.Sprintf("Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (%d endpoints, %d zones)", endpoints, len(byZone))
	}
	for zone, s := range out {
		s.most = s.least + spare
		out[zone] = s
	}
	return out, ""
}

// keep says whether the hints of a slice can stay, and counts them if so: all that is ready is meant for a zone that has a
// share, and none gets more than it may.
func (s shares) keep(slice *discoveryv1.EndpointSlice, given counts) bool {
	here := counts{}
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		if !isReady(e) {
			continue
		}
		if e.Hints == nil || len(e.Hints.ForZones) == 0 {
			return false
		}
		for _, zone := range e.Hints.ForZones {
			here[zone.Name]++
		}
	}
	for zone, n := range here {
		if has, ok := s[zone]; !ok || given[zone]+n > has.most {
			return false
		}
	}
	for zone, n := range here {
		given[zone] += n
	}
	return true
}

// moves is how many endpoints zones give to others, and get. The sums are the same. Who has the most too many gives first to
// who lacks the most, while at least one of them is a whole endpoint off and both are half of one.
func (s shares) moves(given counts) (giving, receiving counts) {
	giving, receiving = counts{}, counts{}
	off := map[string]float64{}
	for zone, has := range s {
		off[zone] = float64(given[zone]) - has.desired
	}
	for {
		from, to := "", ""
		for _, zone := range slices.Sorted(maps.Keys(off)) {
			if from == "" || off[zone] > off[from] {
				from = zone
			}
			if to == "" || off[zone] < off[to] {
				to = zone
			}
		}
		much, little := off[from], -off[to]
		if much < 0.5 || little < 0.5 || much < 1 && little < 1 {
			return giving, receiving
		}
		giving[from]++
		receiving[to]++
		off[from]--
		off[to]++
	}
}
