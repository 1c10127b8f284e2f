package run

import (
	"context"
	"fmt"
	"time"

	"github.com/distribution/reference"
	v1 "k8s.io/api/core/v1"

	"proa/node/cri"
	"proa/node/pod"
)

// ensureImage makes an image present as the pull policy asks, and returns the id to start from.
func (w *worker) ensureImage(ctx context.Context, p *v1.Pod, a pod.Action) pod.Done {
	c := pod.FindContainer(p, a.Container)
	if c == nil {
		return pod.Done{Err: fmt.Errorf("container %q is not in the spec", a.Container)}
	}
	id, err := w.runner.EnsureImage(ctx, p, c.Name, c.Image, c.ImagePullPolicy)
	return pod.Done{Image: id, Err: err}
}

// EnsureImage makes an image present and returns its id. container is "" for an image volume. Its error is a *pod.Failure.
func (r *Runner) EnsureImage(ctx context.Context, p *v1.Pod, container, image string, policy v1.PullPolicy) (string, error) {
	record := func(eventType, reason, message string) { r.Events.Event(p, container, eventType, reason, message) }
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		message := fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name %q: %v", image, image, err)
		record(v1.EventTypeWarning, "InspectFailed", message)
		return "", &pod.Failure{Reason: pod.InvalidImageName, Message: message}
	}
	found, present, err := r.findImage(ctx, image, policy)
	if err != nil {
		message := fmt.Sprintf("Failed to inspect image %q: %v", image, err)
		record(v1.EventTypeWarning, "InspectFailed", message)
		return "", &pod.Failure{Reason: pod.ImageInspectError, Message: message}
	}
	switch {
	case present && policy != v1.PullAlways:
		record(v1.EventTypeNormal, "Pulled", fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", image))
		return found.ID, nil
	case policy == v1.PullNever:
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", image)
		record(v1.EventTypeWarning, pod.ErrImageNeverPull, message)
		return "", &pod.Failure{Reason: pod.ErrImageNeverPull, Message: message}
	}
	return r.pullImage(ctx, p, image, record)
}

// findImage looks an image up here and, unless it is pulled anyway, on the other nodes of the machine.
func (r *Runner) findImage(ctx context.Context, image string, policy v1.PullPolicy) (cri.Image, bool, error) {
	found, present, err := r.Runtime.Image(ctx, image)
	if err != nil || present || policy == v1.PullAlways || r.Borrow == nil {
		return found, present, err
	}
	borrowed, err := r.Borrow(ctx, image)
	if err != nil {
		r.Log.Warn("an image of another node of this machine cannot be shared", "image", image, "err", err)
	}
	if !borrowed {
		return found, false, nil
	}
	return r.Runtime.Image(ctx, image)
}

func (r *Runner) pullImage(ctx context.Context, p *v1.Pod, image string, record func(eventType, reason, message string)) (string, error) {
	record(v1.EventTypeNormal, "Pulling", fmt.Sprintf("Pulling image %q", image))
	begun := time.Now()
	config, err := r.Settings.SandboxConfig(p, 0)
	if err != nil {
		return "", err
	}
	var id string
	for _, credentials := range r.credentials(ctx, p, image) {
		if id, err = r.Runtime.Pull(ctx, image, credentials, config); err == nil {
			break
		}
	}
	if err != nil {
		record(v1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to pull image %q: %v", image, err))
		return "", &pod.Failure{Reason: pod.ErrImagePull, Message: err.Error()}
	}
	pulled, _, err := r.Runtime.Image(ctx, id)
	if err != nil {
		return "", &pod.Failure{Reason: pod.ImageInspectError, Message: err.Error()}
	}
	took := time.Since(begun).Truncate(time.Millisecond)
	record(v1.EventTypeNormal, "Pulled", fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.", image, took, took, pulled.Size))
	return id, nil
}
