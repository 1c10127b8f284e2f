package dns

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/miekg/dns"
)

// Resolvers reads the name servers of a file in the form of resolv.conf, without our own address, each with its port.
func Resolvers(file string, own netip.Addr) ([]string, error) {
	conf, err := dns.ClientConfigFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("read name servers: %w", err)
	}
	var found []string
	for _, server := range conf.Servers {
		if server != own.String() {
			found = append(found, net.JoinHostPort(server, conf.Port))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s names no server", file)
	}
	return found, nil
}
