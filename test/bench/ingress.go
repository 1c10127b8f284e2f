package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"proa/test/bench/traffic"

	"proa/test/kubeapi"
)

const (
	frontClients = 32
	frontHost    = "bench.test"
	haproxyPort  = "8090"
)

// haproxyConfig leads one host to one pod, as the Ingress does. %s: its port, the host, the pod's address.
const haproxyConfig = `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
frontend front
  bind 127.0.0.1:%s
  use_backend peer if { hdr(host) -i %s }
backend peer
  server peer %s
`

// frontDoor loads the front door and HAProxy, with the same pod behind them, in turns.
func (c *cluster) frontDoor(ctx context.Context) (err error) {
	pods, err := c.podsOf(ctx, "peer", 1)
	if err != nil {
		return err
	}
	binary, err := program("haproxy", "which the front door is compared with")
	if err != nil {
		return err
	}
	config := filepath.Join(c.work, "haproxy.cfg")
	text := fmt.Sprintf(haproxyConfig, haproxyPort, frontHost, net.JoinHostPort(pods[0].Status.PodIP, traffic.WebPort))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return fmt.Errorf("configure HAProxy: %w", err)
	}
	haproxy, err := kubeapi.Start(filepath.Join(c.work, "haproxy.log"), binary, "-db", "-f", config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(haproxy.Why(err), haproxy.Stop()) }()
	doors := []struct{ id, url string }{{"ingress", "http://" + nodeAddress + "/"}, {"haproxy", "http://127.0.0.1:" + haproxyPort + "/"}}
	rates, worst := map[string][]float64{}, map[string][]float64{}
	for range 3 { // in turns, so that both have the same machine
		for _, door := range doors {
			if err := untilServed(ctx, door.url); err != nil {
				return err
			}
			found, err := traffic.Get(ctx, door.url, frontHost, frontClients, trafficTime/2)
			if err != nil {
				return fmt.Errorf("load %s: %w", door.id, err)
			}
			rates[door.id] = append(rates[door.id], found.Rate)
			worst[door.id] = append(worst[door.id], float64(found.P99.Microseconds())/1000)
		}
	}
	for _, door := range doors {
		c.out(door.id, median(rates[door.id]))
		c.out(door.id+".p99", median(worst[door.id]))
	}
	return nil
}

// untilServed waits for a door to lead to the pod, half a minute at most.
func untilServed(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return kubeapi.Until(ctx, 20*time.Millisecond, func() error {
		_, err := traffic.Get(ctx, url, frontHost, 1, time.Nanosecond)
		return err
	})
}
