package horizontalpodautoscaler

import (
	"errors"
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"proa/kinds/autoscaling"
	"proa/kinds/podspec"
)

// Upstream's times: a pod's first use of the processor says nothing of its load.
const (
	startPeriod    = 5 * time.Minute  // after a pod's start, in which use counts only while it is ready
	readinessDelay = 30 * time.Second // a pod that was never ready since its start plus this does not count
)

// tolerance is how far a metric may be off its goal before anything is done, unless the rules say otherwise.
const tolerance = 0.1

// byMetrics is the largest number that a metric proposes, and which metric that is. A metric that is not known does not
// stop the others, but nothing shrinks without it.
func (d *decision) byMetrics() (proposed int32, metric string, err error) {
	unknown := 0
	var first error
	var firstReason string
	d.status.CurrentMetrics = nil
	for i := range d.spec.Metrics {
		m := &d.spec.Metrics[i]
		n, name, status, reason, err := d.byMetric(m)
		d.status.CurrentMetrics = append(d.status.CurrentMetrics, status)
		if err != nil {
			if unknown++; first == nil {
				first, firstReason = err, reason
			}
			continue
		}
		if n > proposed {
			proposed, metric = n, name
		}
	}
	if first != nil {
		first = fmt.Errorf("invalid metrics (%d invalid out of %d), first error is: %w", unknown, len(d.spec.Metrics), first)
		if unknown == len(d.spec.Metrics) || proposed < d.current {
			d.condition(autoscalingv2.ScalingActive, false, firstReason, "the HPA was unable to compute the replica count: %v", errors.Unwrap(first))
			return 0, "", first
		}
	}
	d.condition(autoscalingv2.ScalingActive, true, "ValidMetricFound", "the HPA was able to successfully calculate a replica count from %s", metric)
	return proposed, metric, nil
}

func (d *decision) byMetric(m *autoscalingv2.MetricSpec) (n int32, name string, status autoscalingv2.MetricStatus, reason string, err error) {
	status.Type = m.Type
	switch m.Type {
	case autoscalingv2.ResourceMetricSourceType:
		var now autoscalingv2.MetricValueStatus
		n, now, err = d.byResource(m.Resource.Name, "", &m.Resource.Target)
		status.Resource = &autoscalingv2.ResourceMetricStatus{Name: m.Resource.Name, Current: now}
		return n, nameOf(m.Resource.Name, "", &m.Resource.Target), status, "FailedGetResourceMetric", err
	case autoscalingv2.ContainerResourceMetricSourceType:
		s := m.ContainerResource
		var now autoscalingv2.MetricValueStatus
		n, now, err = d.byResource(s.Name, s.Container, &s.Target)
		status.ContainerResource = &autoscalingv2.ContainerResourceMetricStatus{Name: s.Name, Container: s.Container, Current: now}
		return n, nameOf(s.Name, s.Container, &s.Target), status, "FailedGetContainerResourceMetric", err
	}
	return 0, "", status, "FailedGet" + string(m.Type) + "Metric", fmt.Errorf("unable to get %s metrics: no custom metrics API is served", m.Type)
}

func nameOf(resource corev1.ResourceName, container string, target *autoscalingv2.MetricTarget) string {
	name := string(resource) + " resource"
	if target.AverageUtilization != nil {
		name += " utilization (percentage of request)"
	}
	if container != "" {
		name = string(resource) + " container resource of " + container
	}
	return name
}

// byResource proposes a number by what pods use of a resource, in parts of what they request, or on average.
func (d *decision) byResource(name corev1.ResourceName, container string, target *autoscalingv2.MetricTarget) (int32, autoscalingv2.MetricValueStatus, error) {
	var now autoscalingv2.MetricValueStatus
	if len(d.pods) == 0 {
		return 0, now, errors.New("no pods returned by selector while calculating replica count")
	}
	s := d.sort(name, container)
	if len(s.used) == 0 {
		return 0, now, fmt.Errorf("did not receive metrics for targeted pods (pods might be unready)")
	}
	if target.AverageUtilization == nil {
		goal := milli(name, *target.AverageValue)
		s.want = func(*corev1.Pod) int64 { return goal }
		s.fallback = s.want
	} else {
		requests := map[*corev1.Pod]int64{}
		for i := range d.pods {
			request, err := requestOf(d.pods[i].pod, name, container)
			if err != nil {
				return 0, now, err
			}
			requests[d.pods[i].pod] = request
		}
		share := int64(*target.AverageUtilization)
		s.want = func(p *corev1.Pod) int64 { return requests[p] * share / 100 }
		s.fallback = func(p *corev1.Pod) int64 { return requests[p] * max(100, share) / 100 }
		var all, used int64
		for pod, value := range s.used {
			used, all = used+value, all+requests[pod]
		}
		if all == 0 {
			return 0, now, errors.New("no metrics returned matched known pods")
		}
		utilization := int32(used * 100 / all)
		now.AverageUtilization = &utilization
	}
	var sum int64
	for _, value := range s.used {
		sum += value
	}
	now.AverageValue = quantity(name, sum/int64(len(s.used)))
	return d.propose(s), now, nil
}

// sorted are the pods by what is known of them.
type sorted struct {
	used            map[*corev1.Pod]int64 // those that count
	unready, absent []*corev1.Pod         // those that do not work yet, and those of which nothing is known
	want            func(*corev1.Pod) int64
	fallback        func(*corev1.Pod) int64
}

func (d *decision) sort(name corev1.ResourceName, container string) *sorted {
	s := &sorted{used: map[*corev1.Pod]int64{}}
	for i := range d.pods {
		p := &d.pods[i]
		if p.pod.DeletionTimestamp != nil || p.pod.Status.Phase == corev1.PodFailed {
			continue
		}
		value, known := p.uses(name, container)
		switch {
		case p.pod.Status.Phase == corev1.PodPending:
			s.unready = append(s.unready, p.pod)
		case !known:
			s.absent = append(s.absent, p.pod)
		case name == corev1.ResourceCPU && d.starting(p):
			s.unready = append(s.unready, p.pod)
		default:
			s.used[p.pod] = value
		}
	}
	return s
}

// starting says whether a pod's use of the processor is that of its start.
func (d *decision) starting(p *observed) bool {
	ready := podspec.Condition(p.pod, corev1.PodReady)
	if ready == nil || p.pod.Status.StartTime == nil {
		return true
	}
	start := p.pod.Status.StartTime.Time
	if start.Add(startPeriod).After(d.now) {
		return ready.Status == corev1.ConditionFalse || p.at.Before(ready.LastTransitionTime.Add(p.window))
	}
	return ready.Status == corev1.ConditionFalse && start.Add(readinessDelay).After(ready.LastTransitionTime.Time)
}

func (p *observed) uses(name corev1.ResourceName, container string) (sum int64, known bool) {
	if !p.known || len(p.containers) == 0 {
		return 0, false
	}
	for c, list := range p.containers {
		if container != "" && c != container {
			continue
		}
		value, ok := list[name]
		if !ok {
			return 0, false
		}
		sum, known = sum+milli(name, value), true
	}
	return sum, known
}

// milli is an amount in the unit that is compared: thousandths of processors, bytes of everything else in thousandths too.
func milli(_ corev1.ResourceName, q resource.Quantity) int64 { return q.MilliValue() }

func quantity(name corev1.ResourceName, value int64) *resource.Quantity {
	if name == corev1.ResourceCPU {
		return resource.NewMilliQuantity(value, resource.DecimalSI)
	}
	return resource.NewQuantity(value/1000, resource.BinarySI)
}

// requestOf is what a pod's containers, or one of them, request: all must, for the share to mean anything.
func requestOf(pod *corev1.Pod, name corev1.ResourceName, container string) (int64, error) {
	if container == "" && pod.Spec.Resources != nil {
		if q, ok := pod.Spec.Resources.Requests[name]; ok {
			return milli(name, q), nil
		}
	}
	var sum int64
	for c, kind := range podspec.Containers(&pod.Spec) {
		sidecar := kind == podspec.InitContainer && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		if kind != podspec.RegularContainer && !sidecar || container != "" && c.Name != container {
			continue
		}
		q, ok := c.Resources.Requests[name]
		if !ok {
			return 0, fmt.Errorf("missing request for %s in container %s of Pod %s", name, c.Name, pod.Name)
		}
		sum += milli(name, q)
	}
	return sum, nil
}

// propose turns the ratio of what is used to what is wanted into a number. Where growing and shrinking are not the same
// for pods of which nothing is known, they are taken to be such that less is done.
func (d *decision) propose(s *sorted) int32 {
	ratio := s.ratio()
	growing := ratio > 1
	if len(s.absent) == 0 && !(growing && len(s.unready) > 0) {
		if d.near(ratio) {
			return d.current
		}
		return int32(math.Ceil(ratio * float64(len(s.used))))
	}
	for _, pod := range s.absent {
		switch {
		case ratio < 1:
			s.used[pod] = s.fallback(pod)
		case growing:
			s.used[pod] = 0
		}
	}
	if growing {
		for _, pod := range s.unready {
			s.used[pod] = 0
		}
	}
	again := s.ratio()
	if d.near(again) || ratio < 1 && again > 1 || growing && again < 1 {
		return d.current
	}
	n := int32(math.Ceil(again * float64(len(s.used))))
	if again < 1 && n > d.current || again > 1 && n < d.current {
		return d.current
	}
	return n
}

func (s *sorted) ratio() float64 {
	var used, want int64
	for pod, value := range s.used {
		used, want = used+value, want+s.want(pod)
	}
	if want == 0 {
		return 1
	}
	return float64(used) / float64(want)
}

// near says whether a ratio is close enough to 1 to be left alone.
func (d *decision) near(ratio float64) bool {
	up, down := autoscaling.Tolerances(d.spec.Behavior, tolerance)
	return 1-down <= ratio && ratio <= 1+up
}
