package cri

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	hostsPath       = "/etc/hosts"
	managedHosts    = "# Kubernetes-managed hosts file.\n"
	managedHostsNet = "# Kubernetes-managed hosts file (host network).\n"
)

// hostsMount writes the pod's hosts file and mounts it, unless the container mounts one of its own.
func (s *Settings) hostsMount(p *v1.Pod, c *v1.Container, podIPs []string) (*runtimeapi.Mount, error) {
	for _, m := range c.VolumeMounts {
		if m.MountPath == hostsPath {
			return nil, nil
		}
	}
	if !p.Spec.HostNetwork && len(podIPs) == 0 {
		return nil, nil
	}
	content := s.hostsFile(p, podIPs)
	if p.Spec.HostNetwork {
		own, err := os.ReadFile(hostsPath)
		if err != nil {
			return nil, fmt.Errorf("read hosts file: %w", err)
		}
		content = append(append([]byte(managedHostsNet), own...), hostAliases(p)...)
	}
	path := filepath.Join(s.PodDir(p.UID), "etc-hosts")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return nil, fmt.Errorf("write hosts file: %w", err)
	}
	return &runtimeapi.Mount{ContainerPath: hostsPath, HostPath: path}, nil
}

func (s *Settings) hostsFile(p *v1.Pod, podIPs []string) []byte {
	var b bytes.Buffer
	b.WriteString(managedHosts)
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	b.WriteString("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n")
	hostname, domain := s.HostnameAndDomain(p)
	for _, ip := range podIPs {
		if domain != "" {
			fmt.Fprintf(&b, "%s\t%s.%s\t%s\n", ip, hostname, domain, hostname)
		} else {
			fmt.Fprintf(&b, "%s\t%s\n", ip, hostname)
		}
	}
	b.Write(hostAliases(p))
	return b.Bytes()
}

func hostAliases(p *v1.Pod) []byte {
	if len(p.Spec.HostAliases) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("\n# Entries added by HostAliases.\n")
	for _, alias := range p.Spec.HostAliases {
		fmt.Fprintf(&b, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
	}
	return b.Bytes()
}
