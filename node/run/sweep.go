package run

import (
	"context"
	"os"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/cri"
	"proa/node/pod"
)

// sweep ends what is left of pods that are not the API's any more: containers, sandboxes, volumes, folders. A machine that is
// told at once that its pod vanished knows how.
func (r *Runner) sweep(ctx context.Context, known map[types.UID]bool) {
	r.mu.Lock()
	left := map[types.UID]*cri.PodState{}
	for uid, state := range r.mu.listed {
		left[uid] = state
	}
	r.mu.Unlock()
	entries, err := os.ReadDir(r.Settings.PodRoot)
	if err != nil && !os.IsNotExist(err) {
		r.Log.Warn("look for folders of pods", "error", err)
	}
	for _, e := range entries {
		if uid := types.UID(e.Name()); left[uid] == nil {
			left[uid] = &cri.PodState{UID: uid}
		}
	}
	for uid, state := range left {
		if !known[uid] && r.find(uid) == nil {
			r.Log.Info("remove what is left of a pod", "pod", state.Namespace+"/"+state.Name, "uid", uid)
			r.orphan(ctx, state)
		}
	}
}

func (r *Runner) orphan(ctx context.Context, state *cri.PodState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: state.Namespace, Name: state.Name, UID: state.UID}}
	w := newWorker(r, p)
	w.orphan = true
	w.mu.served.Pod = p
	r.mu.workers[state.UID] = w
	w.send(pod.Vanished{})
	w.send(pod.Observed{Full: true, Sandboxes: state.Sandboxes, Containers: state.Containers})
	r.wg.Add(1)
	go func() { defer r.wg.Done(); w.run(ctx) }()
}
