package podspec

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
)

// What a resolver in a container reads at most.
const (
	maxNameservers      = 3
	maxSearchPaths      = 32
	maxSearchCharacters = 2048
	maxHostname         = 64
)

func (c *checker) checkDNSConfig(path *field.Path) {
	config := c.spec.DNSConfig
	if c.spec.DNSPolicy == corev1.DNSNone {
		if config == nil {
			c.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
			return
		}
		if len(config.Nameservers) == 0 {
			c.required(path.Child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None")
			return
		}
	}
	if config == nil {
		return
	}
	servers, searches := path.Child("nameservers"), path.Child("searches")
	if len(config.Nameservers) > maxNameservers {
		c.invalid(servers, config.Nameservers, fmt.Sprintf("must not have more than %d nameservers", maxNameservers))
	}
	for i, server := range config.Nameservers {
		c.addAll(meta.IP(servers.Index(i), server, nil))
	}
	if len(config.Searches) > maxSearchPaths {
		c.invalid(searches, config.Searches, fmt.Sprintf("must not have more than %d search paths", maxSearchPaths))
	}
	if len(strings.Join(config.Searches, " ")) > maxSearchCharacters {
		c.invalid(searches, config.Searches, fmt.Sprintf("must not have more than %d characters (including spaces) in the search list", maxSearchCharacters))
	}
	for i, search := range config.Searches {
		if search != "." {
			search = strings.TrimSuffix(search, ".")
			c.each(searches.Index(i), search, utilvalidation.IsDNS1123SubdomainWithUnderscore(search))
		}
	}
	for i, option := range config.Options {
		if option.Name == "" {
			c.required(path.Child("options").Index(i), "must not be empty")
		}
	}
}

func (c *checker) checkHostAliases(path *field.Path) {
	for i, alias := range c.spec.HostAliases {
		c.addAll(meta.IP(path.Index(i).Child("ip"), alias.IP, nil))
		for j, name := range alias.Hostnames {
			c.each(path.Index(i).Child("hostnames").Index(j), name, utilvalidation.IsDNS1123Subdomain(name))
		}
	}
}

// checkHostname is about hostnameOverride (KEP-4762).
func (c *checker) checkHostname(path *field.Path) {
	name := c.spec.HostnameOverride
	if name == nil {
		return
	}
	path = path.Child("hostnameOverride")
	if fqdn := c.spec.SetHostnameAsFQDN; fqdn != nil && *fqdn {
		c.forbidden(path, "may not be specified when setHostnameAsFQDN is true")
	}
	if c.spec.HostNetwork {
		c.forbidden(path, "may not be specified when hostNetwork is true")
	}
	if len(*name) > maxHostname {
		c.add(field.TooLong(path, "", maxHostname))
	}
	c.each(path, *name, utilvalidation.IsDNS1123Subdomain(*name))
}

// checkHostNetworkPorts: on the host's network a container's port is the host's port.
func (c *checker) checkHostNetworkPorts(path *field.Path) {
	if !c.spec.HostNetwork {
		return
	}
	for i, container := range c.spec.Containers {
		for j, port := range container.Ports {
			if (c.isPod || port.HostPort != 0) && port.HostPort != port.ContainerPort {
				c.invalid(path.Index(i).Child("ports").Index(j).Child("hostPort"), port.HostPort, "must match `containerPort` when `hostNetwork` is true")
			}
		}
	}
}

func (c *checker) checkPorts(path *field.Path, ports []corev1.ContainerPort) {
	names := map[string]bool{}
	for i, port := range ports {
		at := path.Index(i)
		if port.Name != "" {
			messages := utilvalidation.IsValidPortName(port.Name)
			c.each(at.Child("name"), port.Name, messages)
			if len(messages) == 0 && names[port.Name] {
				c.duplicate(at.Child("name"), port.Name)
			}
			names[port.Name] = true
		}
		if port.ContainerPort == 0 {
			c.required(at.Child("containerPort"), "")
		} else {
			c.addAll(meta.PortNumber(at.Child("containerPort"), port.ContainerPort))
		}
		if port.HostPort != 0 {
			c.addAll(meta.PortNumber(at.Child("hostPort"), port.HostPort))
		}
		requireOneOf(c, at.Child("protocol"), port.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)
	}
}

// hostPorts remembers the ports of the host that containers take, and refuses one that is taken twice.
type hostPorts map[string]bool

func (taken hostPorts) check(c *checker, path *field.Path, ports []corev1.ContainerPort) {
	for i, port := range ports {
		if port.HostPort == 0 {
			continue
		}
		key := fmt.Sprintf("%s/%s/%d", port.Protocol, port.HostIP, port.HostPort)
		if taken[key] {
			c.duplicate(path.Index(i).Child("hostPort"), key)
		}
		taken[key] = true
	}
}
