package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"

	"proa/node/pod"
)

// probed is one incarnation of a container with probes.
type probed struct {
	probes      *Probes
	pod         *v1.Pod
	spec        *v1.Container
	containerID string
	startedAt   time.Time
	podIP       string
}

// run waits for the startup probe, if there is one, then runs the other two until ctx is done or they are over.
func (c *probed) run(ctx context.Context) {
	started, ready := lastSeen(c.pod, c.spec.Name, c.containerID)
	if c.spec.StartupProbe != nil {
		if started {
			c.report(ctx, pod.Startup, true, "")
		} else if !c.repeat(ctx, pod.Startup, c.spec.StartupProbe, false) {
			return
		}
	}
	if ready && c.spec.ReadinessProbe != nil {
		c.report(ctx, pod.Readiness, true, "")
	}
	var group sync.WaitGroup
	if c.spec.ReadinessProbe != nil {
		group.Go(func() { c.repeat(ctx, pod.Readiness, c.spec.ReadinessProbe, ready) })
	}
	if c.spec.LivenessProbe != nil {
		group.Go(func() { c.repeat(ctx, pod.Liveness, c.spec.LivenessProbe, true) })
	}
	group.Wait()
}

// repeat probes in turn until the threshold says that it is over; it returns the last health.
func (c *probed) repeat(ctx context.Context, kind pod.ProbeKind, spec *v1.Probe, healthy bool) bool {
	clock := c.probes.cfg.Clock
	t := threshold{kind: kind, successes: int(max(spec.SuccessThreshold, 1)), fails: int(max(spec.FailureThreshold, 1)), healthy: healthy}
	period := time.Duration(max(spec.PeriodSeconds, 1)) * time.Second
	next := c.startedAt.Add(time.Duration(spec.InitialDelaySeconds) * time.Second)
	for {
		if wait := next.Sub(clock.Now()); wait > 0 {
			select {
			case <-ctx.Done():
				return false
			case <-clock.After(wait):
			}
		}
		began := clock.Now()
		got, message, err := c.probe(ctx, spec)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			c.tell(kind, got, message)
			changed, done := t.add(got)
			if changed {
				c.report(ctx, kind, t.healthy, message)
			}
			if done {
				return t.healthy
			}
		} else {
			c.event("Unhealthy", fmt.Sprintf("%s probe errored and resulted in unknown state: %s", kind, err))
		}
		// Like a ticker: a probe that took longer than the period is followed by the next one at once.
		if next = began.Add(period); next.Before(clock.Now()) {
			next = clock.Now()
		}
	}
}

// tell writes the event that goes with an answer.
func (c *probed) tell(kind pod.ProbeKind, got answer, message string) {
	switch got {
	case failure:
		c.event("Unhealthy", fmt.Sprintf("%s probe failed: %s", kind, message))
	case warning:
		c.event("ProbeWarning", fmt.Sprintf("%s probe warning: %s", kind, message))
	}
}

func (c *probed) event(reason, message string) {
	c.probes.cfg.Event(c.pod, c.spec.Name, v1.EventTypeWarning, reason, message)
}

func (c *probed) report(ctx context.Context, kind pod.ProbeKind, healthy bool, message string) {
	if healthy {
		message = ""
	}
	result := pod.ProbeResult{PodUID: c.pod.UID, Container: c.spec.Name, ContainerID: c.containerID, Kind: kind, Healthy: healthy, Message: message}
	select {
	case c.probes.results <- result:
	case <-ctx.Done():
	}
}

// attempts is how often a probe that could not be carried out is tried before it counts as unknown.
const attempts = 3

func (c *probed) probe(ctx context.Context, spec *v1.Probe) (got answer, message string, err error) {
	for range attempts {
		got, message, err = c.once(ctx, spec)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return got, message, err
}

// once carries out one probe. An error means that there is no answer.
func (c *probed) once(ctx context.Context, spec *v1.Probe) (answer, string, error) {
	timeout := time.Duration(max(spec.TimeoutSeconds, 1)) * time.Second
	switch {
	case spec.Exec != nil:
		return c.exec(ctx, spec.Exec, timeout)
	case spec.HTTPGet != nil:
		return c.httpGet(ctx, spec.HTTPGet, timeout)
	case spec.TCPSocket != nil:
		return c.tcpSocket(ctx, spec.TCPSocket, timeout)
	case spec.GRPC != nil:
		got, message := checkGRPC(ctx, c.podIP, spec.GRPC, timeout)
		return got, message, nil
	}
	return 0, "", fmt.Errorf("missing probe handler for %s/%s:%s", c.pod.Namespace, c.pod.Name, c.spec.Name)
}
