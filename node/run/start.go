package run

import (
	"context"
	"fmt"
	"os"

	v1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"

	"proa/client"
	"proa/node/cri"
	"proa/node/pod"
)

func (w *worker) prepareVolumes(ctx context.Context, p *v1.Pod) error {
	paths, err := w.runner.Volumes.Prepare(ctx, p)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.hostPaths = paths
	return nil
}

func (w *worker) hostPaths() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.hostPaths
}

// slot waits until few enough other things are being started on the node.
func (r *Runner) slot(ctx context.Context) (free func(), err error) {
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// runSandbox makes the pod's folders and cgroup, then its sandbox. What it made is removed when the pod is released.
func (w *worker) runSandbox(ctx context.Context, p *v1.Pod, a pod.Action) pod.Done {
	free, err := w.runner.slot(ctx)
	if err != nil {
		return pod.Done{Err: err}
	}
	defer free()
	settings := w.runner.Settings
	if err := os.MkdirAll(settings.PodDir(p.UID), 0o750); err != nil {
		return pod.Done{Err: fmt.Errorf("create folder of pod: %w", err)}
	}
	if err := os.MkdirAll(settings.LogDir(p), 0o755); err != nil {
		return pod.Done{Err: fmt.Errorf("create log directory: %w", err)}
	}
	if err := w.runner.Cgroups.Ensure(p); err != nil {
		return pod.Done{Err: err}
	}
	if err := w.runner.weigh(); err != nil {
		return pod.Done{Err: err}
	}
	config, err := settings.SandboxConfig(p, a.Attempt)
	if err != nil {
		return pod.Done{Err: err}
	}
	handler, err := w.handler(ctx, p)
	if err != nil {
		return pod.Done{Err: err}
	}
	sandbox, err := w.runner.Runtime.RunSandbox(ctx, config, handler)
	if err != nil {
		return pod.Done{Err: err}
	}
	return pod.Done{Sandbox: &sandbox}
}

// handler is how the runtime is to run the pod, by the pod's runtime class.
func (w *worker) handler(ctx context.Context, p *v1.Pod) (string, error) {
	if p.Spec.RuntimeClassName == nil || *p.Spec.RuntimeClassName == "" {
		return "", nil
	}
	o, err := w.runner.Client.GetLive(ctx, client.Ref{Table: "runtimeclasses.node.k8s.io", Name: *p.Spec.RuntimeClassName})
	if err != nil {
		return "", fmt.Errorf("get runtime class: %w", err)
	}
	class, ok := o.(*nodev1.RuntimeClass)
	if !ok {
		return "", fmt.Errorf("get runtime class: %T is none", o)
	}
	return class.Handler, nil
}

// startContainer creates and starts one container.
func (w *worker) startContainer(ctx context.Context, p *v1.Pod, a pod.Action, ips []string, hostPaths map[string]string) pod.Done {
	free, err := w.runner.slot(ctx)
	if err != nil {
		return pod.Done{Err: err}
	}
	defer free()
	c := pod.FindContainer(p, a.Container)
	if c == nil {
		return pod.Done{Err: fmt.Errorf("container %q is not in the spec", a.Container)}
	}
	id, err := w.createContainer(ctx, p, c, a, ips, hostPaths)
	if err != nil {
		return pod.Done{Err: err}
	}
	w.runner.Events.Event(p, c.Name, v1.EventTypeNormal, "Created", "Container created")
	if err := w.runner.Runtime.StartContainer(ctx, id); err != nil {
		return pod.Done{Err: &pod.Failure{Reason: pod.RunContainerFailure, Message: err.Error()}}
	}
	w.runner.Events.Event(p, c.Name, v1.EventTypeNormal, "Started", "Container started")
	started, err := w.runner.Runtime.Container(ctx, id)
	if err != nil {
		return pod.Done{Err: err}
	}
	started.SandboxID = a.ID
	return pod.Done{Container: &started}
}

// createContainer turns the spec into a container that can be started. What is wrong with the spec, or with what it refers to,
// is a CreateContainerConfigError.
func (w *worker) createContainer(ctx context.Context, p *v1.Pod, c *v1.Container, a pod.Action, ips []string, hostPaths map[string]string) (id string, err error) {
	settings := w.runner.Settings
	wrong := func(err error) error { return &pod.Failure{Reason: pod.CreateContainerConfig, Message: err.Error()} }
	env, err := settings.Environment(source{ctx, w.runner.Client}, p, c, ips)
	if err != nil {
		return "", wrong(err)
	}
	mounts, err := w.runner.Volumes.Mounts(p, withSubPaths(c, env), hostPaths)
	if err != nil {
		return "", wrong(err)
	}
	image, ok, err := w.runner.Runtime.Image(ctx, a.Image)
	if err != nil || !ok {
		return "", wrong(fmt.Errorf("image %s is gone: %w", a.Image, err))
	}
	params := cri.ContainerParams{
		Pod: p, Container: c, Attempt: a.Attempt, ImageRef: a.Image, ImageUser: image.User, PodIPs: ips, Env: env, Mounts: mounts,
		TargetID: w.targetID(p, c.Name),
	}
	config, err := settings.ContainerConfig(params)
	if err != nil {
		return "", wrong(err)
	}
	sandbox, err := settings.SandboxConfig(p, 0)
	if err != nil {
		return "", wrong(err)
	}
	id, err = w.runner.Runtime.CreateContainer(ctx, a.ID, config, sandbox)
	if err != nil {
		return "", &pod.Failure{Reason: pod.CreateContainerFailure, Message: err.Error()}
	}
	return id, nil
}

// withSubPaths expands the subPathExprs of a container's mounts.
func withSubPaths(c *v1.Container, env []cri.Variable) *v1.Container {
	out := c
	expand := cri.Expander(env)
	for i := range c.VolumeMounts {
		if c.VolumeMounts[i].SubPathExpr == "" {
			continue
		}
		if out == c {
			out = c.DeepCopy()
		}
		out.VolumeMounts[i].SubPath, out.VolumeMounts[i].SubPathExpr = expand(c.VolumeMounts[i].SubPathExpr), ""
	}
	return out
}

// targetID is the container whose processes an ephemeral container asks to see.
func (w *worker) targetID(p *v1.Pod, name string) string {
	for i := range p.Spec.EphemeralContainers {
		e := &p.Spec.EphemeralContainers[i]
		if e.Name != name || e.TargetContainerName == "" {
			continue
		}
		for _, c := range w.served().Containers {
			if c.Name == e.TargetContainerName && c.Running {
				return c.ID
			}
		}
	}
	return ""
}
