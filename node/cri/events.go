package cri

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/pod"
)

// Change is one event of the runtime: the state of a pod right after it. It holds only what the event told.
type Change struct {
	UID   types.UID
	State pod.Observed
}

// Watch hands changes to deliver until the stream breaks or ctx ends. started is called once when the stream is open: what
// happened before has to be listed after that. deliver must be quick.
func (c *Client) Watch(ctx context.Context, started func(), deliver func(Change)) error {
	stream, err := c.runtime.GetContainerEvents(ctx, &runtimeapi.GetEventsRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return plain(err)
	}
	// The call only reaches the runtime with the first header; a list before that could miss an event.
	started()
	for {
		event, err := stream.Recv()
		if err != nil {
			return plain(err)
		}
		if change, ok := changeOf(event); ok {
			deliver(change)
		}
	}
}

func changeOf(e *runtimeapi.ContainerEventResponse) (Change, bool) {
	s := e.PodSandboxStatus
	if s == nil || s.Labels[labelPodUID] == "" {
		return Change{}, false
	}
	change := Change{UID: types.UID(s.Metadata.GetUid())}
	change.State.Sandboxes = []pod.Sandbox{sandboxOf(s)}
	for _, status := range e.ContainersStatuses {
		change.State.Containers = append(change.State.Containers, containerOf(status, s.Id))
	}
	if e.ContainerEventType == runtimeapi.ContainerEventType_CONTAINER_DELETED_EVENT && e.ContainerId != s.Id {
		change.State.Removed = []string{e.ContainerId}
		change.State.Containers = slices.DeleteFunc(change.State.Containers, func(c pod.Container) bool { return c.ID == e.ContainerId })
	}
	return change, true
}
