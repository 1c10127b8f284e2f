package run

import (
	"context"
	"time"

	"github.com/distribution/reference"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/internal/pause"
	"proa/kinds/podspec"
	"proa/node/evict"
	"proa/node/pod"
)

// Active implements evict.Pods: the pods that are not over.
func (r *Runner) Active() []*v1.Pod {
	var active []*v1.Pod
	for _, served := range r.Pods() {
		if phase := served.Status.Phase; phase != v1.PodSucceeded && phase != v1.PodFailed {
			active = append(active, served.Pod)
		}
	}
	return active
}

// Evict implements evict.Pods.
func (r *Runner) Evict(e evict.Eviction) {
	r.End(e.Pod.UID, pod.Evicted{Reason: evict.Reason, Message: e.Message, GraceSeconds: e.Grace, Disrupted: e.Disrupted})
}

// End begins to end a pod for the node's sake.
func (r *Runner) End(uid types.UID, why pod.Evicted) {
	if w := r.find(uid); w != nil {
		w.send(why)
	}
}

// Runs implements evict.Pods.
func (r *Runner) Runs(uid types.UID) bool {
	w := r.find(uid)
	if w == nil {
		return false
	}
	served := w.served()
	if phase := served.Status.Phase; phase == v1.PodSucceeded || phase == v1.PodFailed {
		return false // never said while a container runs
	}
	return true
}

// reclaimTimeout bounds how long Reclaim waits: containers that cannot be removed are tried again without it.
const reclaimTimeout = 10 * time.Second

// Reclaim has the pods that are over give up their containers, and their logs, and returns when they have.
func (r *Runner) Reclaim(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reclaimTimeout)
	defer cancel()
	for _, w := range r.allWorkers() {
		if phase := w.served().Status.Phase; phase != v1.PodSucceeded && phase != v1.PodFailed {
			continue
		}
		w.send(pod.Reclaimed{})
		for len(w.served().Containers) > 0 && ctx.Err() == nil {
			pause.For(ctx, 20*time.Millisecond)
		}
	}
}

// ImagesNamed are the names of the images that pods which are not over ask for, in full.
func (r *Runner) ImagesNamed() map[string]bool {
	names := map[string]bool{}
	add := func(name string) {
		if named, err := reference.ParseNormalizedNamed(name); err == nil {
			names[reference.TagNameOnly(named).String()] = true
		}
	}
	for _, p := range r.Active() {
		for c := range podspec.Containers(&p.Spec) {
			add(c.Image)
		}
		for i := range p.Spec.Volumes {
			if image := p.Spec.Volumes[i].Image; image != nil {
				add(image.Reference)
			}
		}
	}
	return names
}
