package podspec

import corev1 "k8s.io/api/core/v1"

// HostPort is a port of the node that a pod wants for itself. IP "" stands for all addresses.
type HostPort struct {
	IP       string
	Protocol corev1.Protocol
	Port     int32
}

// Conflicts says whether two pods cannot both have their port: one on all addresses conflicts with the same port on any.
func (p HostPort) Conflicts(other HostPort) bool {
	return p.Port == other.Port && p.Protocol == other.Protocol && (p.IP == other.IP || p.IP == "" || other.IP == "")
}

// HostPorts lists the ports of the node that a pod wants while it runs: those of init containers that end are not among them.
func HostPorts(pod *corev1.Pod) []HostPort {
	var ports []HostPort
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.HostPort > 0 {
				ports = append(ports, hostPort(p))
			}
		}
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c)
		}
	}
	for i := range pod.Spec.Containers {
		add(&pod.Spec.Containers[i])
	}
	return ports
}

func hostPort(p corev1.ContainerPort) HostPort {
	ip, protocol := p.HostIP, p.Protocol
	if ip == "0.0.0.0" || ip == "::" {
		ip = ""
	}
	if protocol == "" {
		protocol = corev1.ProtocolTCP
	}
	return HostPort{ip, protocol, p.HostPort}
}
