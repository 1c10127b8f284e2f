package stream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// defaultNodePort is where a node listens that does not say.
const defaultNodePort = 10250

// nodeHost is the URL host under which a node is asked: its name and port. The name is what its certificate must be for,
// and what keeps connections of different nodes apart; dialNode turns it into an address.
func (s *Streams) nodeHost(name string) (string, error) {
	node, err := lookup[*corev1.Node](s.cfg.Source.Snapshot(), "nodes", "", name)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(name, strconv.Itoa(nodePort(node))), nil
}

func nodePort(node *corev1.Node) int {
	if port := node.Status.DaemonEndpoints.KubeletEndpoint.Port; port > 0 && port < 1<<16 {
		return int(port)
	}
	return defaultNodePort
}

// dialNode connects to the node that the host of a URL names.
func (s *Streams) dialNode(ctx context.Context, network, host string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("dial node: %w", err)
	}
	node, err := lookup[*corev1.Node](s.cfg.Source.Snapshot(), "nodes", "", name)
	if err != nil {
		return nil, fmt.Errorf("dial node: %w", err)
	}
	address, err := s.nodeAddress(node)
	if err != nil {
		return nil, fmt.Errorf("dial node %s: %w", name, err)
	}
	return s.cfg.Dial(ctx, network, net.JoinHostPort(address.String(), port))
}

// nodeAddress is where a node is: its internal address before any other. Names that a node gives itself are not
// resolved, for what they resolve to can change between the check and the connection.
func (s *Streams) nodeAddress(node *corev1.Node) (netip.Addr, error) {
	refused := false
	for _, wanted := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP} {
		for _, a := range node.Status.Addresses {
			if a.Type != wanted {
				continue
			}
			ip, err := netip.ParseAddr(a.Address)
			if err == nil && (dialable(ip) || s.cfg.LoopbackNodes && ip.Unmap().IsLoopback()) {
				return ip.Unmap(), nil
			}
			refused = refused || err == nil
		}
	}
	if refused {
		return netip.Addr{}, apierrors.NewBadRequest("address not allowed")
	}
	return netip.Addr{}, fmt.Errorf("no preferred addresses found; known addresses: %v", node.Status.Addresses)
}

// dialChecked connects to an address that a pod has. It refuses whatever is no literal address of the network: the
// callers check too, and this is the last door.
func (s *Streams) dialChecked(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial pod: %w", err)
	}
	ip, err := podAddress(host)
	if err != nil {
		return nil, err
	}
	return s.cfg.Dial(ctx, network, net.JoinHostPort(ip.String(), port))
}

// podAddress parses an address that a request may be sent to.
func podAddress(s string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(s)
	if err != nil || !dialable(ip) {
		return netip.Addr{}, apierrors.NewBadRequest("address not allowed")
	}
	return ip.Unmap(), nil
}

// dialable says whether an address is another machine's or a pod's: not this host's own, not the link's (where clouds
// keep their metadata service), not many hosts'.
func dialable(ip netip.Addr) bool {
	return ip.Zone() == "" && ip.Unmap().IsGlobalUnicast()
}
