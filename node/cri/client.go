// Package cri talks to the container runtime, and says in its terms what a pod's spec asks for.
//
// It decides nothing about the course of a pod; node/run calls it with what node/pod decided. It is the only importer of
// gRPC and of the CRI. When the runtime is gone every call fails with the connection's error; connections come back
// by themselves.
package cri

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Client calls one runtime. It may be used by many goroutines.
type Client struct {
	conn    *grpc.ClientConn
	runtime runtimeapi.RuntimeServiceClient
	images  runtimeapi.ImageServiceClient
}

// maxMessage holds the answer to the longest list.
const maxMessage = 16 << 20

// New prepares a client for an endpoint such as unix:///run/containerd/containerd.sock. It does not connect yet.
func New(endpoint string) (*Client, error) {
	if strings.HasPrefix(endpoint, "/") {
		endpoint = "unix://" + endpoint
	}
	reconnect := backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}
	conn, err := grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("localhost"),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 3 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("connect runtime %s: %w", endpoint, err)
	}
	return &Client{conn: conn, runtime: runtimeapi.NewRuntimeServiceClient(conn), images: runtimeapi.NewImageServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// WaitReady returns when the runtime answers, or with ctx's error.
func (c *Client) WaitReady(ctx context.Context) error {
	if _, err := c.runtime.Version(ctx, &runtimeapi.VersionRequest{}, grpc.WaitForReady(true)); err != nil {
		return fmt.Errorf("reach runtime: %w", plain(err))
	}
	return nil
}

// Runtime gives the raw service to those that stream through it (exec, attach, port-forward, stats).
func (c *Client) Runtime() runtimeapi.RuntimeServiceClient { return c.runtime }

// Images gives the raw image service to those that list and remove images.
func (c *Client) Images() runtimeapi.ImageServiceClient { return c.images }

// notFound says whether the runtime does not know what it was asked about.
func notFound(err error) bool { return status.Code(err) == codes.NotFound }

// plainError shows the runtime's words to users without gRPC's wrapping, and keeps the code for errors.As.
type plainError struct{ err error }

func (e plainError) Error() string { return status.Convert(e.err).Message() }
func (e plainError) Unwrap() error { return e.err }

func plain(err error) error {
	if err == nil {
		return nil
	}
	return plainError{err}
}
