package core

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// nodeLost is the status reason that the node lifecycle gives to pods of a node that nobody hears from.
const nodeLost = "NodeLost"

func podColumns() []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
		meta.Column("Status", "The aggregate status of the containers in this pod."),
		meta.Column("Restarts", "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."),
		meta.Age(),
		meta.Wide("IP", corev1.PodStatus{}.SwaggerDoc()["podIP"]),
		meta.Wide("Node", corev1.PodSpec{}.SwaggerDoc()["nodeName"]),
		meta.Wide("Nominated Node", corev1.PodStatus{}.SwaggerDoc()["nominatedNodeName"]),
		meta.Wide("Readiness Gates", corev1.PodSpec{}.SwaggerDoc()["readinessGates"]),
	}
}

func podRow(pod *corev1.Pod) []any {
	s := summarizePod(pod)
	podIP := ""
	if len(pod.Status.PodIPs) > 0 {
		podIP = pod.Status.PodIPs[0].IP
	}
	return []any{
		pod.Name, fmt.Sprintf("%d/%d", s.ready, s.total), s.reason, s.restarts.cell(), meta.Since(pod.CreationTimestamp),
		orNone(podIP), orNone(pod.Spec.NodeName), orNone(pod.Status.NominatedNodeName), readinessGates(pod),
	}
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

func readinessGates(pod *corev1.Pod) string {
	if len(pod.Spec.ReadinessGates) == 0 {
		return "<none>"
	}
	open := 0
	for _, gate := range pod.Spec.ReadinessGates {
		if c := podspec.Condition(pod, gate.ConditionType); c != nil && c.Status == corev1.ConditionTrue {
			open++
		}
	}
	return fmt.Sprintf("%d/%d", open, len(pod.Spec.ReadinessGates))
}

// podSummary is what the columns READY, STATUS and RESTARTS show.
type podSummary struct {
	ready, total int
	reason       string
	restarts     restarts
}

// restarts counts the restarts of some containers and remembers the last.
type restarts struct {
	count int32
	last  metav1.Time
}

func (r *restarts) add(s *corev1.ContainerStatus) {
	r.count += s.RestartCount
	if t := s.LastTerminationState.Terminated; t != nil && r.last.Before(&t.FinishedAt) {
		r.last = t.FinishedAt
	}
}

func (r restarts) cell() any {
	if r.count == 0 || r.last.IsZero() {
		return strconv.Itoa(int(r.count))
	}
	return resource.Timed(func(now time.Time) any {
		return fmt.Sprintf("%d (%s ago)", r.count, duration.HumanDuration(now.Sub(r.last.Time)))
	})
}

// summarizePod follows upstream's reading of a pod's status: while it initializes, the first init container that is
// not done speaks for the pod; afterwards the first regular container that is not well; and a deletion overrules both.
func summarizePod(pod *corev1.Pod) podSummary {
	s := podSummary{total: len(pod.Spec.Containers), reason: string(pod.Status.Phase)}
	if pod.Status.Reason != "" {
		s.reason = pod.Status.Reason
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonSchedulingGated {
			s.reason = corev1.PodReasonSchedulingGated
		}
	}
	sidecars := map[string]bool{}
	for i := range pod.Spec.InitContainers {
		if podspec.IsSidecar(&pod.Spec.InitContainers[i]) {
			sidecars[pod.Spec.InitContainers[i].Name] = true
			s.total++
		}
	}
	ofSidecars, initializing := s.addInitContainers(pod, sidecars)
	initialized := podspec.Condition(pod, corev1.PodInitialized)
	if !initializing || initialized != nil && initialized.Status == corev1.ConditionTrue {
		s.restarts = ofSidecars
		s.addContainers(pod)
	}
	if pod.DeletionTimestamp != nil {
		switch {
		case pod.Status.Reason == nodeLost:
			s.reason = "Unknown"
		case !podspec.IsTerminal(pod):
			s.reason = "Terminating"
		}
	}
	return s
}

// addInitContainers reads the init containers up to the first that is not done.
func (s *podSummary) addInitContainers(pod *corev1.Pod, sidecars map[string]bool) (ofSidecars restarts, initializing bool) {
	for i := range pod.Status.InitContainerStatuses {
		c := &pod.Status.InitContainerStatuses[i]
		s.restarts.add(c)
		if sidecars[c.Name] {
			ofSidecars.add(c)
		}
		switch ended, waiting := c.State.Terminated, c.State.Waiting; {
		case ended != nil && ended.ExitCode == 0:
			continue
		case sidecars[c.Name] && c.Started != nil && *c.Started:
			if c.Ready {
				s.ready++
			}
			continue
		case ended != nil:
			s.reason = "Init:" + endReason(ended)
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "PodInitializing":
			s.reason = "Init:" + waiting.Reason
		default:
			s.reason = fmt.Sprintf("Init:%d/%d", i, len(pod.Spec.InitContainers))
		}
		return ofSidecars, true
	}
	return ofSidecars, false
}

// addContainers reads the regular containers from the last to the first, so that the first speaks loudest.
func (s *podSummary) addContainers(pod *corev1.Pod) {
	running, failure := false, ""
	for i := len(pod.Status.ContainerStatuses) - 1; i >= 0; i-- {
		c := &pod.Status.ContainerStatuses[i]
		s.restarts.add(c)
		switch ended, waiting := c.State.Terminated, c.State.Waiting; {
		case waiting != nil && waiting.Reason != "":
			s.reason = waiting.Reason
		case ended != nil:
			s.reason = endReason(ended)
			if ended.ExitCode != 0 {
				failure = s.reason
			}
		case c.Ready && c.State.Running != nil:
			running = true
			s.ready++
		}
	}
	if s.reason != "Completed" {
		return
	}
	switch {
	case running && podspec.IsReady(pod):
		s.reason = "Running"
	case failure != "":
		s.reason = failure
	case running:
		s.reason = "NotReady"
	}
}

func endReason(ended *corev1.ContainerStateTerminated) string {
	switch {
	case ended.Reason != "":
		return ended.Reason
	case ended.Signal != 0:
		return fmt.Sprintf("Signal:%d", ended.Signal)
	}
	return fmt.Sprintf("ExitCode:%d", ended.ExitCode)
}
