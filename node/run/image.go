package run

import (
	"context"
	"fmt"
	"time"

	"github.com/distribution/reference"
	v1 "k8s.io/api/core/v1"

	"proa/node/pod"
)

// ensureImage makes an image present as the pull policy asks, and returns the id to start from.
func (w *worker) ensureImage(ctx context.Context, p *v1.Pod, a pod.Action) pod.Done {
	c := pod.FindContainer(p, a.Container)
	if c == nil {
		return pod.Done{Err: fmt.Errorf("container %q is not in the spec", a.Container)}
	}
	record := func(eventType, reason, message string) { w.runner.Events.Event(p, c.Name, eventType, reason, message) }
	if _, err := reference.ParseNormalizedNamed(c.Image); err != nil {
		message := fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name %q: %v", c.Image, c.Image, err)
		record(v1.EventTypeWarning, "InspectFailed", message)
		return pod.Done{Err: &pod.Failure{Reason: pod.InvalidImageName, Message: message}}
	}
	image, present, err := w.runner.Runtime.Image(ctx, c.Image)
	if err != nil {
		message := fmt.Sprintf("Failed to inspect image %q: %v", c.Image, err)
		record(v1.EventTypeWarning, "InspectFailed", message)
		return pod.Done{Err: &pod.Failure{Reason: pod.ImageInspectError, Message: message}}
	}
	switch {
	case present && c.ImagePullPolicy != v1.PullAlways:
		record(v1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", c.Image))
		return pod.Done{Image: image.ID}
	case c.ImagePullPolicy == v1.PullNever:
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", c.Image)
		record(v1.EventTypeWarning, pod.ErrImageNeverPull, message)
		return pod.Done{Err: &pod.Failure{Reason: pod.ErrImageNeverPull, Message: message}}
	}
	return w.pullImage(ctx, p, c)
}

func (w *worker) pullImage(ctx context.Context, p *v1.Pod, c *v1.Container) pod.Done {
	record := func(eventType, reason, message string) { w.runner.Events.Event(p, c.Name, eventType, reason, message) }
	record(v1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", c.Image))
	begun := time.Now()
	config, err := w.runner.Settings.SandboxConfig(p, 0)
	if err != nil {
		return pod.Done{Err: err}
	}
	var id string
	for _, credentials := range w.credentials(ctx, p, c.Image) {
		if id, err = w.runner.Runtime.Pull(ctx, c.Image, credentials, config); err == nil {
			break
		}
	}
	if err != nil {
		record(v1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %v", c.Image, err))
		return pod.Done{Err: &pod.Failure{Reason: pod.ErrImagePull, Message: err.Error()}}
	}
	image, _, err := w.runner.Runtime.Image(ctx, id)
	if err != nil {
		return pod.Done{Err: &pod.Failure{Reason: pod.ImageInspectError, Message: err.Error()}}
	}
	took := time.Since(begun).Truncate(time.Millisecond)
	record(v1.EventTypeNormal, "Pulled", fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.", c.Image, took, took, image.Size))
	return pod.Done{Image: id}
}
