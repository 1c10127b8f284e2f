package cri

import (
	"context"
	"fmt"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/pod"
)

// CreateContainer creates a container in a sandbox and returns its id.
func (c *Client) CreateContainer(ctx context.Context, sandboxID string, config *runtimeapi.ContainerConfig, sandbox *runtimeapi.PodSandboxConfig) (string, error) {
	call, done := whole(ctx)
	defer done()
	r, err := c.runtime.CreateContainer(call, &runtimeapi.CreateContainerRequest{PodSandboxId: sandboxID, Config: config, SandboxConfig: sandbox})
	if err != nil {
		return "", plain(err)
	}
	return r.ContainerId, nil
}

// StartContainer starts a created container.
func (c *Client) StartContainer(ctx context.Context, id string) error {
	call, done := whole(ctx)
	defer done()
	_, err := c.runtime.StartContainer(call, &runtimeapi.StartContainerRequest{ContainerId: id})
	return plain(err)
}

// StopContainer sends the stop signal, waits for grace, then kills. It returns when the container has ended.
func (c *Client) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	_, err := c.runtime.StopContainer(ctx, &runtimeapi.StopContainerRequest{ContainerId: id, Timeout: int64(grace / time.Second)})
	return unlessGone(err)
}

// RemoveContainer removes a container that does not run. Its logs stay.
func (c *Client) RemoveContainer(ctx context.Context, id string) error {
	call, done := whole(ctx)
	defer done()
	_, err := c.runtime.RemoveContainer(call, &runtimeapi.RemoveContainerRequest{ContainerId: id})
	return unlessGone(err)
}

// ReopenLog has the runtime write a running container's log to a new file after the old one was renamed.
func (c *Client) ReopenLog(ctx context.Context, id string) error {
	_, err := c.runtime.ReopenContainerLog(ctx, &runtimeapi.ReopenContainerLogRequest{ContainerId: id})
	return plain(err)
}

// UpdateContainer changes the limits of a running container.
func (c *Client) UpdateContainer(ctx context.Context, id string, resources *runtimeapi.LinuxContainerResources) error {
	call, done := whole(ctx)
	defer done()
	_, err := c.runtime.UpdateContainerResources(call, &runtimeapi.UpdateContainerResourcesRequest{ContainerId: id, Linux: resources})
	return plain(err)
}

// Container reads one container as it is now.
func (c *Client) Container(ctx context.Context, id string) (pod.Container, error) {
	r, err := c.runtime.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: id})
	if err != nil {
		return pod.Container{}, plain(err)
	}
	return containerOf(r.Status, ""), nil
}

// ExecSync runs a command in a container and waits for it. err is nil when the command ran, whatever its code; a timeout
// above zero ends it with an error that says so.
func (c *Client) ExecSync(ctx context.Context, containerID string, cmd []string, timeout time.Duration) (stdout, stderr []byte, code int32, err error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout+time.Second) // the runtime's own timeout comes first
		defer cancel()
	}
	seconds := int64((timeout + time.Second - 1) / time.Second)
	r, err := c.runtime.ExecSync(ctx, &runtimeapi.ExecSyncRequest{ContainerId: containerID, Cmd: cmd, Timeout: seconds})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("exec in container: %w", plain(err))
	}
	return r.Stdout, r.Stderr, r.ExitCode, nil
}
