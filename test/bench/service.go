package main

import (
	"context"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"

	"proa/test/bench/traffic"
)

// trafficTime is how long each kind of traffic flows.
const trafficTime = 4 * time.Second

// service measures the way to a pod of the other node: from a pod to its address, from a pod and from the node to its Service.
func (c *cluster) service(ctx context.Context) error {
	pods, err := c.podsOf(ctx, "peer", 1)
	if err != nil {
		return err
	}
	var service corev1.Service
	if err := c.get(ctx, target{"services", benchPods.namespace}, "peer", &service); err != nil {
		return fmt.Errorf("get service: %w", err)
	}
	for _, kind := range []struct {
		id, port string
		measure  func(context.Context, string, time.Duration) (float64, error)
		unit     float64
	}{
		{"stream", traffic.StreamPort, traffic.Stream, 1 << 20},
		{"dial", traffic.DialPort, traffic.Dial, 1},
	} {
		pod, behind := net.JoinHostPort(pods[0].Status.PodIP, kind.port), net.JoinHostPort(service.Spec.ClusterIP, kind.port)
		direct, err := c.measuredBy(ctx, kind.id+"-direct", c.first, kind.id, pod)
		if err != nil {
			return err
		}
		through, err := c.measuredBy(ctx, kind.id+"-service", c.first, kind.id, behind)
		if err != nil {
			return err
		}
		node, err := kind.measure(ctx, behind, trafficTime)
		if err != nil {
			return fmt.Errorf("from the node: %w", err)
		}
		c.out("direct."+kind.id, direct/kind.unit)
		c.out("service."+kind.id, through/kind.unit)
		c.out("node."+kind.id, node/kind.unit)
	}
	return nil
}
