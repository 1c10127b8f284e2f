package pod

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// status says what the API should show. It is derived anew at every step; the last one only supplies what the runtime
// forgot and the times of conditions that did not change.
func (m *Machine) status() v1.PodStatus {
	s := v1.PodStatus{
		ObservedGeneration: m.pod.Generation,
		QOSClass:           QOSClass(m.pod),
		StartTime:          &metav1.Time{Time: m.started.Truncate(1e9)},
		NominatedNodeName:  m.pod.Status.NominatedNodeName,
		Resize:             m.pod.Status.Resize,
	}
	if m.rejected != nil {
		s.Phase, s.Reason, s.Message = v1.PodFailed, m.rejected.Reason, "Pod was rejected: "+m.rejected.Message
		s.Conditions = m.conditions(&s)
		m.addresses(&s)
		return s
	}
	m.addresses(&s)
	s.InitContainerStatuses = m.containerStatuses(m.pod.Spec.InitContainers, m.last.InitContainerStatuses, true)
	s.ContainerStatuses = m.containerStatuses(m.pod.Spec.Containers, m.last.ContainerStatuses, false)
	s.EphemeralContainerStatuses = m.containerStatuses(ephemeral(m.pod), m.last.EphemeralContainerStatuses, false)
	s.Phase = m.phase(&s)
	switch {
	case m.end != nil && s.Phase == v1.PodFailed:
		s.Reason, s.Message = m.end.reason, m.end.message
	case s.Phase == m.pod.Status.Phase:
		s.Reason, s.Message = m.pod.Status.Reason, m.pod.Status.Message
	}
	s.Conditions = m.conditions(&s)
	return s
}

// phase keeps a phase that is final, and never reports a final one while a container still runs.
func (m *Machine) phase(s *v1.PodStatus) v1.PodPhase {
	for _, before := range []v1.PodPhase{m.pod.Status.Phase, m.last.Phase} {
		if terminal(before) {
			return before
		}
	}
	ended := m.ended()
	if ended && m.end != nil {
		return v1.PodFailed
	}
	now := phase(m.pod, s, ended, m.initialized())
	if ended && !terminal(now) {
		return v1.PodFailed // it was stopped before it had run
	}
	if terminal(now) && !ended {
		if m.last.Phase == "" {
			return v1.PodPending
		}
		return m.last.Phase
	}
	return now
}

func ephemeral(p *v1.Pod) []v1.Container {
	var all []v1.Container
	for i := range p.Spec.EphemeralContainers {
		all = append(all, *EphemeralAsContainer(&p.Spec.EphemeralContainers[i]))
	}
	return all
}

// addresses fills in host and pod addresses; a pod keeps its addresses in the status after its sandbox is gone.
func (m *Machine) addresses(s *v1.PodStatus) {
	for i, ip := range m.host.IPs {
		if i == 0 {
			s.HostIP = ip
		}
		s.HostIPs = append(s.HostIPs, v1.HostIP{IP: ip})
	}
	var ips []string
	sandbox := m.sandbox()
	switch {
	case m.rejected != nil:
	case sandbox == nil && !m.pod.Spec.HostNetwork:
		s.PodIP, s.PodIPs = m.last.PodIP, m.last.PodIPs
	case m.pod.Spec.HostNetwork:
		ips = m.host.IPs
	default:
		ips = sandbox.IPs
	}
	for i, ip := range ips {
		if i == 0 {
			s.PodIP = ip
		}
		s.PodIPs = append(s.PodIPs, v1.PodIP{IP: ip})
	}
}

func containerURI(id string) string { return "containerd://" + id }
