package callout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dialURL reaches the host of a URL. Only a URL that says so itself reaches this host.
func (c *Caller) dialURL(named string) dialer {
	own := strings.EqualFold(named, "localhost")
	if ip, err := netip.ParseAddr(named); err == nil {
		own = ip.Unmap().IsLoopback()
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		return c.dialHost(ctx, network, host, port, own)
	}
}

// dialService reaches one of the endpoints of a Service, whatever host the URL names.
func (c *Caller) dialService(s Service) dialer {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		hosts, err := resolve(c.cfg.Source.Snapshot(), &s)
		if err != nil {
			return nil, err
		}
		var last error
		for _, h := range spread(hosts) {
			conn, err := c.dialHost(ctx, network, h.name, h.port, false)
			if err == nil {
				return conn, nil
			}
			last = err
		}
		return nil, last
	}
}

// dialHost connects to the first address of a host that answers. Each is checked, and the one that was checked is the one that
// is dialled: a name that changes its mind in between changes nothing.
func (c *Caller) dialHost(ctx context.Context, network, host, port string, own bool) (net.Conn, error) {
	var addresses []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		addresses = []netip.Addr{ip}
	} else if addresses, err = c.cfg.Lookup(ctx, "ip", host); err != nil {
		return nil, err
	}
	var last error
	for _, ip := range addresses {
		if !dialable(ip, own) {
			last = errors.Join(last, fmt.Errorf("dial %s: address %s not allowed", host, ip))
			continue
		}
		conn, err := c.cfg.Dial(ctx, network, net.JoinHostPort(ip.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	if last == nil {
		return nil, fmt.Errorf("dial %s: no address found", host)
	}
	return nil, last
}

// dialable says whether an address may be connected to: another machine's or a pod's, or this host's own where the URL says so.
func dialable(ip netip.Addr, own bool) bool {
	return ip.Zone() == "" && (ip.Unmap().IsGlobalUnicast() || own && ip.Unmap().IsLoopback())
}
