package run

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/node/pod"
)

// SetStatic says which pods the node runs of its own, beside those of the API. The pods must not be changed afterwards.
func (r *Runner) SetStatic(pods []*v1.Pod) {
	r.mu.Lock()
	r.mu.static = map[types.UID]*v1.Pod{}
	for _, p := range pods {
		r.mu.static[p.UID] = p
	}
	r.mu.Unlock()
	r.lookAtStatic()
}

func (r *Runner) lookAtStatic() {
	select {
	case r.staticWake <- struct{}{}:
	default:
	}
}

// followStatic starts and ends static pods as SetStatic says. One that takes another's name waits until that is gone.
func (r *Runner) followStatic(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.staticWake:
		}
		start, end := r.staticChanges()
		for _, w := range end {
			w.send(pod.Vanished{})
		}
		for _, p := range start {
			r.startStatic(ctx, p)
		}
	}
}

// staticChanges says what to do now about static pods, and notes who was told to go.
func (r *Runner) staticChanges() (start []*v1.Pod, end []*worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := map[string]bool{}
	for uid, w := range r.mu.workers {
		if !w.static {
			continue
		}
		p := w.served().Pod
		taken[p.Namespace+"/"+p.Name] = true
		if r.mu.static[uid] == nil && !w.leaving {
			w.leaving = true
			end = append(end, w)
		}
	}
	for _, p := range r.mu.static {
		if !taken[p.Namespace+"/"+p.Name] {
			start = append(start, p)
		}
	}
	return start, end
}

// startStatic starts a static pod with the status that the API was told last, so that a restart of the agent takes no endpoint out
// of service. That a pod was over does not count: it runs as often as its node starts.
func (r *Runner) startStatic(ctx context.Context, p *v1.Pod) {
	if shown := r.mirror(p); shown != nil && shown.Status.Phase != v1.PodSucceeded && shown.Status.Phase != v1.PodFailed {
		p = p.DeepCopy()
		p.Status = *shown.Status.DeepCopy()
	}
	r.desire(ctx, p)
	if shown := r.mirror(p); shown != nil { // seen before there was a worker, or meanwhile
		r.showBy(shown)
	}
}

// mirror is what the API shows a static pod by, or nil.
func (r *Runner) mirror(p *v1.Pod) *v1.Pod {
	shown, ok := client.Get[*v1.Pod](r.Client.View(), "pods", p.Namespace, p.Name)
	if !ok || pod.MirrorOf(shown) != p.UID {
		return nil
	}
	return shown
}

// showBy has the status of a static pod written to its mirror.
func (r *Runner) showBy(mirror *v1.Pod) {
	if w := r.find(pod.MirrorOf(mirror)); w != nil && w.static {
		w.status.showBy(mirror)
	}
}

// hide takes note that a mirror is gone.
func (r *Runner) hide(mirror *v1.Pod) {
	if w := r.find(pod.MirrorOf(mirror)); w != nil && w.static {
		w.status.hide(mirror.UID)
	}
}
