package admit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/core"
	"proa/kinds/networking"
	"proa/kinds/resource"
	"proa/store"
)

// Tables that say who holds an address or a node port. A key is claimed in the commit that stores the service and
// freed in the commit that removes it, so that no crash and no race can give one address to two services; the writer that
// loses tries again with the next free one. Addresses are objects that users see; node ports are not, and the name of
// their table begins with what no resource's can.
const (
	clusterIPTable   = "ipaddresses.networking.k8s.io"
	serviceCIDRTable = "servicecidrs.networking.k8s.io"
	nodePortTable    = "~nodeports"
)

const (
	firstNodePort = 30000
	lastNodePort  = 32767
)

// addresses hands out cluster IPs and node ports.
type addresses struct {
	ranges      []netip.Prefix    // the cluster's own, while no object says which they are
	families    []corev1.IPFamily // of ranges
	first, last int32
	pick        func(n int) int
	encode      func(resource.Object) ([]byte, error)
}

func newAddresses(c Config) *addresses {
	s := &addresses{ranges: c.ServiceCIDRs, first: c.FirstNodePort, last: c.LastNodePort, pick: c.Pick, encode: c.Encode}
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
			data, err := s.holder(a, key)
			if err != nil {
				return nil, err
			}
			ops = append(ops, store.Op{Key: key, Expect: store.Absent, Data: data})
		}
	}
	for _, key := range had {
		if item := a.Snapshot.Get(key); item != nil && !slices.Contains(has, key) && isHolder(a, item) {
			ops = append(ops, store.Op{Key: key, Expect: item.Revision, Delete: true, Data: item.Data})
		}
	}
	return ops, nil
}

// holder is what is stored to say that the service holds the address or port.
func (s *addresses) holder(a *Attributes, key store.Key) ([]byte, error) {
	if key.Table == nodePortTable {
		return []byte(a.Namespace + "/" + a.Name), nil
	}
	ip, err := netip.ParseAddr(key.Name)
	if err != nil {
		return nil, fmt.Errorf("claim cluster IP: %w", err)
	}
	obj := networking.ServiceAddress(a.Namespace, a.Name, ip)
	now := metav1.NewTime(a.Now).Rfc3339Copy()
	obj.UID, obj.CreationTimestamp = uuid.NewUUID(), now
	obj.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kube-apiserver", Operation: metav1.ManagedFieldsOperationUpdate,
		APIVersion: networkingv1.SchemeGroupVersion.String(), Time: &now, FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte(addressFields)}}}
	return s.encode(obj)
}

// addressFields are the fields of an address that the API server keeps.
const addressFields = `{"f:metadata":{"f:labels":{".":{},"f:ipaddress.kubernetes.io/ip-family":{},"f:ipaddress.kubernetes.io/managed-by":{}}},"f:spec":{"f:parentRef":{".":{},"f:name":{},"f:namespace":{},"f:resource":{}}}}`

// isHolder says whether an item says that this service holds what it holds. Users can rewrite addresses; what is another's
// stays, and so does what somebody waits for.
func isHolder(a *Attributes, item *store.Item) bool {
	if item.Key.Table == nodePortTable {
		return true
	}
	address, ok := item.Value().(*networkingv1.IPAddress)
	if !ok || len(address.Finalizers) > 0 {
		return false
	}
	namespace, name, ok := networking.ServiceOf(address)
	return ok && namespace == a.Namespace && name == a.Name
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

// rangesOf lists the ranges of a family that services get addresses from, the cluster's own first.
func (s *addresses) rangesOf(a *Attributes, family corev1.IPFamily) []netip.Prefix {
	own, more := s.ranges, []netip.Prefix(nil)
	for c := range all[*networkingv1.ServiceCIDR](a, serviceCIDRTable, "") {
		mine := c.Name == networking.DefaultServiceCIDR
		switch {
		case mine && networking.GivesAddresses(c):
			own = networking.Ranges(c)
		case mine:
			own = nil
		case networking.GivesAddresses(c):
			more = append(more, networking.Ranges(c)...)
		}
	}
	return slices.DeleteFunc(slices.Concat(own, more), func(r netip.Prefix) bool { return familyOf(r.Addr()) != family })
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
	if !slices.ContainsFunc(s.rangesOf(a, family), func(r netip.Prefix) bool { return isUsable(r, ip) }) {
		return errors.New("the provided network does not match the current range")
	}
	if a.Snapshot.Get(clusterIPKey(text)) != nil {
		return errors.New("provided IP is already allocated")
	}
	return nil
}
