package cri

import (
	"context"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/pod"
)

// PodState is all that the runtime has for one pod.
type PodState struct {
	UID        types.UID
	Namespace  string
	Name       string
	Sandboxes  []pod.Sandbox
	Containers []pod.Container
}

// List reads the state of all pods, or of the one with the given uid.
func (c *Client) List(ctx context.Context, uid types.UID) (map[types.UID]*PodState, error) {
	var sandboxFilter *runtimeapi.PodSandboxFilter
	var containerFilter *runtimeapi.ContainerFilter
	if uid != "" {
		labels := map[string]string{labelPodUID: string(uid)}
		sandboxFilter, containerFilter = &runtimeapi.PodSandboxFilter{LabelSelector: labels}, &runtimeapi.ContainerFilter{LabelSelector: labels}
	}
	sandboxes, err := c.runtime.ListPodSandbox(ctx, &runtimeapi.ListPodSandboxRequest{Filter: sandboxFilter})
	if err != nil {
		return nil, plain(err)
	}
	containers, err := c.runtime.ListContainers(ctx, &runtimeapi.ListContainersRequest{Filter: containerFilter})
	if err != nil {
		return nil, plain(err)
	}
	pods := map[types.UID]*PodState{}
	for _, s := range sandboxes.Items {
		if err := c.addSandbox(ctx, pods, s); err != nil {
			return nil, err
		}
	}
	for _, item := range containers.Containers {
		if err := c.addContainer(ctx, pods, item); err != nil {
			return nil, err
		}
	}
	return pods, nil
}

func (c *Client) addSandbox(ctx context.Context, pods map[types.UID]*PodState, s *runtimeapi.PodSandbox) error {
	uid := types.UID(s.Metadata.GetUid())
	if s.Labels[labelPodUID] == "" {
		return nil // not made by an agent
	}
	r, err := c.runtime.PodSandboxStatus(ctx, &runtimeapi.PodSandboxStatusRequest{PodSandboxId: s.Id})
	if notFound(err) {
		return nil
	}
	if err != nil {
		return plain(err)
	}
	p := podOf(pods, uid, s.Labels)
	p.Sandboxes = append(p.Sandboxes, sandboxOf(r.Status))
	return nil
}

func (c *Client) addContainer(ctx context.Context, pods map[types.UID]*PodState, item *runtimeapi.Container) error {
	uid := types.UID(item.Labels[labelPodUID])
	if uid == "" {
		return nil
	}
	r, err := c.runtime.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: item.Id})
	if notFound(err) {
		return nil
	}
	if err != nil {
		return plain(err)
	}
	p := podOf(pods, uid, item.Labels)
	p.Containers = append(p.Containers, containerOf(r.Status, item.PodSandboxId))
	return nil
}

func podOf(pods map[types.UID]*PodState, uid types.UID, labels map[string]string) *PodState {
	if pods[uid] == nil {
		pods[uid] = &PodState{UID: uid, Namespace: labels[labelPodNamespace], Name: labels[labelPodName]}
	}
	return pods[uid]
}

func containerOf(s *runtimeapi.ContainerStatus, sandboxID string) pod.Container {
	c := pod.Container{
		ID:         s.Id,
		Name:       s.Metadata.GetName(),
		SandboxID:  sandboxID,
		Attempt:    int(s.Metadata.GetAttempt()),
		State:      stateOf(s.State),
		SpecHash:   s.Annotations[annotationHash],
		LogPath:    s.LogPath,
		CreatedAt:  time.Unix(0, s.CreatedAt),
		StartedAt:  time.Unix(0, s.StartedAt),
		FinishedAt: time.Unix(0, s.FinishedAt),
		ExitCode:   s.ExitCode,
		Reason:     s.Reason,
		Message:    s.Message,
		Image:      s.Image.GetImage(),
		ImageID:    s.ImageRef,
		User:       userOf(s.User),
		StopSignal: stopSignalOf(s.StopSignal),
	}
	if name := s.Image.GetUserSpecifiedImage(); name != "" && c.Image == "" {
		c.Image = name
	}
	if n, err := strconv.Atoi(s.Annotations[annotationRestartCount]); err == nil {
		c.Attempt = n
	}
	if c.State == pod.ContainerExited {
		c.Message = terminationMessage(s)
	}
	return c
}

func stateOf(s runtimeapi.ContainerState) pod.ContainerState {
	switch s {
	case runtimeapi.ContainerState_CONTAINER_CREATED:
		return pod.ContainerCreated
	case runtimeapi.ContainerState_CONTAINER_RUNNING:
		return pod.ContainerRunning
	case runtimeapi.ContainerState_CONTAINER_EXITED:
		return pod.ContainerExited
	}
	return pod.ContainerUnknown
}

func userOf(u *runtimeapi.ContainerUser) *v1.ContainerUser {
	linux := u.GetLinux()
	if linux == nil {
		return nil
	}
	return &v1.ContainerUser{Linux: &v1.LinuxContainerUser{UID: linux.Uid, GID: linux.Gid, SupplementalGroups: linux.SupplementalGroups}}
}

func stopSignalOf(s runtimeapi.Signal) *v1.Signal {
	if s == runtimeapi.Signal_RUNTIME_DEFAULT {
		return nil
	}
	signal := v1.Signal(s.String())
	return &signal
}
