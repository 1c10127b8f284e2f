package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"proa/test/bench/traffic"
)

// autoscaler loads the only pod of a Deployment, and takes the time until a second one is ready.
func (c *cluster) autoscaler(ctx context.Context) error {
	pods, err := c.podsOf(ctx, "busy", 1)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	url := "http://" + net.JoinHostPort(pods[0].Status.PodIP, traffic.WebPort) + "/work"
	loaded := make(chan error, 1)
	begin := time.Now()
	go func() { loaded <- keepBusy(ctx, url) }()
	_, err = c.podsOf(ctx, "busy", 2)
	took := time.Since(begin)
	cancel()
	if err := errors.Join(err, <-loaded); err != nil {
		return fmt.Errorf("scale under load: %w", err)
	}
	c.out("autoscaler", took.Seconds())
	return nil
}

// keepBusy asks for work until ctx ends.
func keepBusy(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	answer.Body.Close()
	return fmt.Errorf("%s answered %s, and was to work", url, answer.Status)
}
