package admit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/core"
)

var errFull = errors.New("range is full")

// freeIP finds an address that nobody holds.
func (s *addresses) freeIP(a *Attributes, family corev1.IPFamily) (string, error) {
	if !slices.Contains(s.families, family) {
		return "", fmt.Errorf("%s is not configured on this cluster", family)
	}
	for _, r := range s.rangesOf(a, family) {
		if ip, ok := s.freeIn(a, r); ok {
			return ip, nil
		}
	}
	return "", errFull
}

// freeIn looks in one range. It begins somewhere in the upper part, for the lower part is where users choose addresses
// themselves (KEP-3070), and takes from the lower part last.
func (s *addresses) freeIn(a *Attributes, r netip.Prefix) (string, bool) {
	size := usable(r)
	band := min(max(16, size/16), 256, max(size-1, 0))
	for _, part := range [][2]int{{band, size - band}, {0, band}} {
		from, n := part[0], part[1]
		if n <= 0 {
			continue
		}
		start := s.pick(n)
		for i := range n {
			ip := nth(r, 1+from+(start+i)%n)
			if a.Snapshot.Get(clusterIPKey(ip.String())) == nil {
				return ip.String(), true
			}
		}
	}
	return "", false
}

// usable counts the addresses that services can have: not the first, and in IPv4 not the last.
func usable(r netip.Prefix) int {
	bits := min(r.Addr().BitLen()-r.Bits(), 20) // more than a million is as good as all
	size := 1<<bits - 1
	if r.Addr().Is4() {
		size--
	}
	return max(size, 0)
}

// isUsable says whether a service can have an address of the range.
func isUsable(r netip.Prefix, ip netip.Addr) bool {
	if !r.Contains(ip) || ip == r.Masked().Addr() {
		return false
	}
	return !ip.Is4() || r.Contains(ip.Next())
}

func nth(r netip.Prefix, n int) netip.Addr {
	if first := r.Masked().Addr(); first.Is4() {
		b := first.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
		return netip.AddrFrom4(b)
	}
	b := r.Masked().Addr().As16()
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])+uint64(n))
	return netip.AddrFrom16(b)
}

// fillNodePorts gives the service's ports a port on every node, if its type has them.
func (s *addresses) fillNodePorts(a *Attributes, service, old *corev1.Service) error {
	mine := map[int32]bool{} // held by this service already
	if old != nil {
		for _, port := range old.Spec.Ports {
			mine[port.NodePort] = true
		}
		mine[old.Spec.HealthCheckNodePort] = true
	}
	spec := &service.Spec
	if core.NeedsNodePorts(service) {
		if err := s.claimChosen(a, service, mine); err != nil {
			return err
		}
		if spec.Type == corev1.ServiceTypeNodePort || spec.AllocateLoadBalancerNodePorts == nil || *spec.AllocateLoadBalancerNodePorts {
			if err := s.allocatePorts(a, service, mine); err != nil {
				return err
			}
		}
	}
	if !core.NeedsHealthCheckNodePort(service) {
		return nil
	}
	port := spec.HealthCheckNodePort
	if port == 0 {
		free, err := s.freePort(a, mine)
		spec.HealthCheckNodePort = free
		return err
	}
	if err := s.checkPort(a, port, mine); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("failed to allocate requested HealthCheck NodePort %v: %w", port, err))
	}
	return nil
}

// claimChosen checks the ports that the user chose.
func (s *addresses) claimChosen(a *Attributes, service *corev1.Service, mine map[int32]bool) error {
	for i, port := range service.Spec.Ports {
		if port.NodePort == 0 {
			continue
		}
		if err := s.checkPort(a, port.NodePort, mine); err != nil {
			return invalidService(service, field.Invalid(field.NewPath("spec", "ports").Index(i).Child("nodePort"), port.NodePort, err.Error()))
		}
		mine[port.NodePort] = true
	}
	return nil
}

// allocatePorts fills in the others. Ports of one number and several protocols share a node port.
func (s *addresses) allocatePorts(a *Attributes, service *corev1.Service, mine map[int32]bool) error {
	ports := service.Spec.Ports
	for i := range ports {
		if ports[i].NodePort != 0 {
			continue
		}
		same := slices.IndexFunc(ports, func(p corev1.ServicePort) bool {
			return p.Port == ports[i].Port && p.NodePort != 0 && p.Protocol != ports[i].Protocol
		})
		if same >= 0 {
			ports[i].NodePort = ports[same].NodePort
			continue
		}
		free, err := s.freePort(a, mine)
		if err != nil {
			return err
		}
		ports[i].NodePort = free
		mine[free] = true
	}
	return nil
}

func (s *addresses) checkPort(a *Attributes, port int32, mine map[int32]bool) error {
	switch {
	case mine[port]:
		return nil
	case (port < s.first || port > s.last) && !a.DryRun: // a try knows no range, as upstream's
		return fmt.Errorf("provided port is not in the valid range. The range of valid ports is %d-%d", s.first, s.last)
	case a.Snapshot.Get(nodePortKey(port)) != nil:
		return errors.New("provided port is already allocated")
	}
	return nil
}

// freePort finds a node port that nobody holds, with the lower part of the range last, as freeIP does.
func (s *addresses) freePort(a *Attributes, mine map[int32]bool) (int32, error) {
	size := int(s.last - s.first + 1)
	band := min(max(16, size/32), 128, size-1)
	for _, part := range [][2]int{{band, size - band}, {0, band}} {
		from, n := part[0], part[1]
		if n <= 0 {
			continue
		}
		start := s.pick(n)
		for i := range n {
			port := s.first + int32(from+(start+i)%n)
			if !mine[port] && a.Snapshot.Get(nodePortKey(port)) == nil {
				return port, nil
			}
		}
	}
	return 0, apierrors.NewInternalError(fmt.Errorf("failed to allocate a nodePort: %w", errFull))
}
