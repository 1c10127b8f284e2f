package cri

import (
	"fmt"
	"os"
	"strings"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// SandboxConfig says in the runtime's terms what sandbox a pod needs.
func (s *Settings) SandboxConfig(p *v1.Pod, attempt int) (*runtimeapi.PodSandboxConfig, error) {
	dns, err := s.dns(p)
	if err != nil {
		return nil, fmt.Errorf("read resolver configuration: %w", err)
	}
	linux, err := s.sandboxLinux(p)
	if err != nil {
		return nil, err
	}
	config := &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: p.Name, Namespace: p.Namespace, Uid: string(p.UID), Attempt: uint32(attempt)},
		LogDirectory: s.LogDir(p),
		DnsConfig:    dns,
		PortMappings: portMappings(p),
		Labels:       sandboxLabels(p),
		Annotations:  p.Annotations,
		Linux:        linux,
	}
	if !p.Spec.HostNetwork || p.Spec.HostnameOverride != nil {
		if config.Hostname, err = s.kernelHostname(p); err != nil {
			return nil, err
		}
	}
	return config, nil
}

func (s *Settings) sandboxLinux(p *v1.Pod) (*runtimeapi.LinuxPodSandboxConfig, error) {
	security := &runtimeapi.LinuxSandboxSecurityContext{
		Privileged:       hasPrivileged(p),
		Seccomp:          &runtimeapi.SecurityProfile{ProfileType: runtimeapi.SecurityProfile_RuntimeDefault},
		NamespaceOptions: namespaces(p),
	}
	linux := &runtimeapi.LinuxPodSandboxConfig{SecurityContext: security, Sysctls: map[string]string{}, Resources: podResources(p)}
	if s.CgroupParent != nil {
		linux.CgroupParent = s.CgroupParent(p)
	}
	sc := p.Spec.SecurityContext
	if sc == nil {
		return linux, nil
	}
	for _, sysctl := range sc.Sysctls {
		linux.Sysctls[sysctl.Name] = sysctl.Value
	}
	security.RunAsUser, security.RunAsGroup = int64Value(sc.RunAsUser), int64Value(sc.RunAsGroup)
	security.SelinuxOptions = selinux(sc.SELinuxOptions)
	security.SupplementalGroups = supplementalGroups(sc)
	policy, err := supplementalGroupsPolicy(sc)
	security.SupplementalGroupsPolicy = policy
	return linux, err
}

func hasPrivileged(p *v1.Pod) bool {
	for _, list := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if sc := list[i].SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
				return true
			}
		}
	}
	return false
}

// namespaces says which namespaces the pod shares with the node, and which its containers share among themselves.
func namespaces(p *v1.Pod) *runtimeapi.NamespaceOption {
	n := &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_CONTAINER}
	if p.Spec.ShareProcessNamespace != nil && *p.Spec.ShareProcessNamespace {
		n.Pid = runtimeapi.NamespaceMode_POD
	}
	if p.Spec.HostPID {
		n.Pid = runtimeapi.NamespaceMode_NODE
	}
	if p.Spec.HostIPC {
		n.Ipc = runtimeapi.NamespaceMode_NODE
	}
	if p.Spec.HostNetwork {
		n.Network = runtimeapi.NamespaceMode_NODE
	}
	return n
}

func portMappings(p *v1.Pod) []*runtimeapi.PortMapping {
	var all []*runtimeapi.PortMapping
	lists := [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers}
	for l, list := range lists {
		for i := range list {
			if l == 0 && (list[i].RestartPolicy == nil || *list[i].RestartPolicy != v1.ContainerRestartPolicyAlways) {
				continue
			}
			for _, port := range list[i].Ports {
				all = append(all, &runtimeapi.PortMapping{
					Protocol: protocol(port.Protocol), ContainerPort: port.ContainerPort, HostPort: port.HostPort, HostIp: port.HostIP,
				})
			}
		}
	}
	return all
}

func protocol(p v1.Protocol) runtimeapi.Protocol {
	switch p {
	case v1.ProtocolUDP:
		return runtimeapi.Protocol_UDP
	case v1.ProtocolSCTP:
		return runtimeapi.Protocol_SCTP
	}
	return runtimeapi.Protocol_TCP
}

// maxHostname is what the kernel takes.
const maxHostname = 63

// HostnameAndDomain is the name a pod knows itself by, and the domain it is found in, if any.
func (s *Settings) HostnameAndDomain(p *v1.Pod) (hostname, domain string) {
	if p.Spec.HostnameOverride != nil {
		return truncateHostname(*p.Spec.HostnameOverride), ""
	}
	hostname = p.Name
	if p.Spec.Hostname != "" {
		hostname = p.Spec.Hostname
	}
	if p.Spec.Subdomain != "" {
		domain = fmt.Sprintf("%s.%s.svc.%s", p.Spec.Subdomain, p.Namespace, s.ClusterDomain)
	}
	return truncateHostname(hostname), domain
}

func truncateHostname(name string) string {
	if len(name) <= maxHostname {
		return name
	}
	return strings.TrimRight(name[:maxHostname], "-.")
}

func (s *Settings) kernelHostname(p *v1.Pod) (string, error) {
	hostname, domain := s.HostnameAndDomain(p)
	if domain == "" || p.Spec.SetHostnameAsFQDN == nil || !*p.Spec.SetHostnameAsFQDN {
		return hostname, nil
	}
	full := hostname + "." + domain
	if len(full) > maxHostname+1 {
		return "", fmt.Errorf("failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long (%d characters is the max, %d characters requested)", full, maxHostname+1, len(full))
	}
	return full, nil
}

// Hostname is what HOSTNAME says in a container.
func (s *Settings) Hostname(p *v1.Pod) string {
	if p.Spec.HostNetwork {
		name, _ := os.Hostname()
		return name
	}
	name, _ := s.HostnameAndDomain(p)
	return name
}
