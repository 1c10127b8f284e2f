package cri

import (
	"context"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/pod"
)

// RunSandbox creates and starts a sandbox, its network included, and returns it as it is then.
func (c *Client) RunSandbox(ctx context.Context, config *runtimeapi.PodSandboxConfig, handler string) (pod.Sandbox, error) {
	call, done := whole(ctx)
	defer done()
	r, err := c.runtime.RunPodSandbox(call, &runtimeapi.RunPodSandboxRequest{Config: config, RuntimeHandler: handler})
	if err != nil {
		return pod.Sandbox{}, plain(err)
	}
	s, err := c.runtime.PodSandboxStatus(call, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: r.PodSandboxId})
	if err != nil {
		return pod.Sandbox{}, plain(err)
	}
	return sandboxOf(s.Status), nil
}

// StopSandbox ends all that runs in a sandbox and frees its network. What is not there is stopped.
func (c *Client) StopSandbox(ctx context.Context, id string) error {
	call, done := whole(ctx)
	defer done()
	_, err := c.runtime.StopPodSandbox(call, &runtimeapi.StopPodSandboxRequest{PodSandboxId: id})
	return unlessGone(err)
}

// RemoveSandbox removes a sandbox and its containers. What is not there is removed.
func (c *Client) RemoveSandbox(ctx context.Context, id string) error {
	call, done := whole(ctx)
	defer done()
	_, err := c.runtime.RemovePodSandbox(call, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: id})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if notFound(err) {
		return nil
	}
	return plain(err)
}

func sandboxOf(s *runtimeapi.PodSandboxStatus) pod.Sandbox {
	sandbox := pod.Sandbox{
		ID:      s.Id,
		Attempt: s.Metadata.GetAttempt(),
		Ready:   s.State == runtimeapi.PodSandboxState_SANDBOX_READY,
	}
	if ip := s.Network.GetIp(); ip != "" {
		sandbox.IPs = append(sandbox.IPs, ip)
	}
	for _, more := range s.Network.GetAdditionalIps() {
		sandbox.IPs = append(sandbox.IPs, more.Ip)
	}
	return sandbox
}
