package admit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/core"
	"proa/store"
)

// Tables that say who holds an address or a node port. A key is claimed in the commit that stores the service and
// freed in the commit that removes it, so that no crash and no race can give one address to two services; the writer that
// loses tries again with the next free one. The names begin with what no resource's can.
const (
	clusterIPTable = "~clusterips"
	nodePortTable  = "~nodeports"
)

const (
	firstNodePort = 30000
	lastNodePort  = 32767
)

// addresses hands out cluster IPs and node ports.
type addresses struct {
	ranges      []netip.Prefix
	families    []corev1.IPFamily // of ranges
	first, last int32
	pick        func(n int) int
}

func newAddresses(c Config) *addresses {
	s := &addresses{ranges: c.ServiceCIDRs, first: c.FirstNodePort, last: c.LastNodePort, pick: c.Pick}
	for _, r := range s.ranges {
		s.families = append(s.families, familyOf(r.Addr()))
	}
	if s.first == 0 {
		s.first, s.last = firstNodePort, lastNodePort
	}
	if s.pick == nil {
		s.pick = rand.IntN
	}
	return s
}

// fill gives a service the addresses that it needs and has not.
func (s *addresses) fill(_ context.Context, a *Attributes) error {
	if !a.Is("services") || a.Operation == Delete {
		return nil
	}
	service, ok := a.Object.(*corev1.Service)
	if !ok {
		return nil
	}
	old, _ := a.Old.(*corev1.Service)
	core.KeepAllocated(service, old)
	if errs := core.DefaultFamilies(service, old, s.families...); len(errs) > 0 {
		return invalidService(service, errs...)
	}
	if err := s.fillClusterIPs(a, service, old); err != nil {
		return err
	}
	return s.fillNodePorts(a, service, old)
}

func (s *addresses) claimsFor(table string, _ store.Snapshot, _ string) bool {
	return table == "services"
}

// claim makes the commit of a service hold what the service holds.
func (s *addresses) claim(_ context.Context, a *Attributes) ([]store.Op, error) {
	if !a.Is("services") {
		return nil, nil
	}
	var has, had []store.Key
	if service, ok := a.Object.(*corev1.Service); ok {
		has = held(service)
	}
	if old, ok := a.Old.(*corev1.Service); ok {
		had = held(old)
	}
	var ops []store.Op
	for _, key := range has {
		if !slices.Contains(had, key) {
			ops = append(ops, store.Op{Key: key, Expect: store.Absent, Data: []byte(a.Namespace + "/" + a.Name)})
		}
	}
	for _, key := range had {
		if item := a.Snapshot.Get(key); item != nil && !slices.Contains(has, key) {
			ops = append(ops, store.Op{Key: key, Expect: item.Revision, Delete: true, Data: item.Data})
		}
	}
	return ops, nil
}

// held lists what nobody else may hold while the service is there.
func held(service *corev1.Service) []store.Key {
	var keys []store.Key
	if core.NeedsClusterIP(service) {
		for _, ip := range service.Spec.ClusterIPs {
			if ip != "" && ip != corev1.ClusterIPNone {
				keys = append(keys, clusterIPKey(ip))
			}
		}
	}
	add := func(port int32) {
		if key := nodePortKey(port); port != 0 && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, port := range service.Spec.Ports {
		add(port.NodePort)
	}
	add(service.Spec.HealthCheckNodePort)
	return keys
}

func clusterIPKey(ip string) store.Key {
	if parsed, err := netip.ParseAddr(ip); err == nil {
		ip = parsed.String() // one address, one key, however it is written
	}
	return store.Key{Table: clusterIPTable, Name: ip}
}

func nodePortKey(port int32) store.Key {
	return store.Key{Table: nodePortTable, Name: strconv.Itoa(int(port))}
}

func (s *addresses) rangeOf(family corev1.IPFamily) (netip.Prefix, bool) {
	for _, r := range s.ranges {
		if familyOf(r.Addr()) == family {
			return r, true
		}
	}
	return netip.Prefix{}, false
}

func familyOf(ip netip.Addr) corev1.IPFamily {
	if ip.Unmap().Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func invalidService(service *corev1.Service, errs ...*field.Error) error {
	return apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Service").GroupKind(), service.Name, errs)
}

// fillClusterIPs gives the service one address per family.
func (s *addresses) fillClusterIPs(a *Attributes, service, old *corev1.Service) error {
	spec := &service.Spec
	if !core.NeedsClusterIP(service) || len(spec.ClusterIPs) > 0 && spec.ClusterIPs[0] == corev1.ClusterIPNone {
		return nil
	}
	var had []store.Key
	if old != nil {
		had = held(old)
	}
	for i, family := range spec.IPFamilies {
		if i == len(spec.ClusterIPs) {
			spec.ClusterIPs = append(spec.ClusterIPs, "")
		}
		if spec.ClusterIPs[i] == "" {
			ip, err := s.freeIP(a, family)
			if err != nil {
				return apierrors.NewInternalError(fmt.Errorf("failed to allocate a serviceIP for Service %q: %w", service.Name, err))
			}
			spec.ClusterIPs[i] = ip
		} else if !slices.Contains(had, clusterIPKey(spec.ClusterIPs[i])) {
			if err := s.checkIP(a, family, spec.ClusterIPs[i]); err != nil {
				return invalidService(service, field.Invalid(field.NewPath("spec", "clusterIPs"), spec.ClusterIPs,
					fmt.Sprintf("failed to allocate IP %v: %v", spec.ClusterIPs[i], err)))
			}
		}
	}
	if len(spec.ClusterIPs) > 0 {
		spec.ClusterIP = spec.ClusterIPs[0]
	}
	return nil
}

func (s *addresses) checkIP(a *Attributes, family corev1.IPFamily, text string) error {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil //nolint:nilerr // validation has better words for it
	}
	r, ok := s.rangeOf(family)
	if !ok || !r.Contains(ip) || ip == r.Masked().Addr() {
		return fmt.Errorf("the provided IP (%v) is not in the valid range. The range of valid IPs is %s", ip, r)
	}
	if a.Snapshot.Get(clusterIPKey(text)) != nil {
		return fmt.Errorf("provided IP is already allocated")
	}
	return nil
}
