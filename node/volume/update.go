package volume

import (
	"context"
	"maps"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/client"
)

const (
	// retryAfter is the pause after an update that failed for want of the API.
	retryAfter = 10 * time.Second
	// rereadAfter is how often objects are read again where they cannot be watched: a remote node may not watch all secrets.
	rereadAfter = time.Minute
)

// Run keeps the mirrored volumes up to date until ctx is done.
func (v *Volumes) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for _, table := range []string{"configmaps", "secrets", "pods"} {
		group.Go(func() { v.follow(ctx, table) })
	}
	group.Go(func() { v.reclaim(ctx) })
	v.renewDue(ctx)
	group.Wait()
	return ctx.Err()
}

// follow writes again what an event touches. When a watch begins it writes all that comes from the table: what changed between
// Prepare and the watch, or while the last watch was broken, came without an event.
func (v *Volumes) follow(ctx context.Context, table string) {
	for ctx.Err() == nil {
		watcher, err := v.cfg.Client.Watch(table, v.cfg.Client.View())
		v.refreshAll(ctx, table)
		if err != nil {
			v.cfg.Log.Debug("objects of volumes are read again in turn, not watched", "table", table, "error", err)
			select {
			case <-ctx.Done():
			case <-v.cfg.Clock.After(rereadAfter):
			}
			continue
		}
		for {
			events, err := watcher.Next(ctx)
			if err != nil {
				break
			}
			for _, event := range events {
				v.onEvent(ctx, table, event)
			}
		}
	}
}

func (v *Volumes) onEvent(ctx context.Context, table string, event client.Event) {
	object := event.Object
	for _, entry := range v.entries() {
		if table == "pods" && !entry.adopt(object.(*v1.Pod)) {
			continue
		}
		v.refresh(ctx, entry, func(pod *v1.Pod, volume *v1.Volume) bool {
			if pod.Namespace != object.GetNamespace() || table == "pods" && pod.UID != object.GetUID() {
				return false
			}
			return uses(&volume.VolumeSource, table, object.GetName())
		})
	}
}

// adopt takes the pod's newest state, if it is the entry's pod, and says whether its volumes may look different now: most
// changes of a pod are of its status, which no volume shows.
func (e *prepared) adopt(pod *v1.Pod) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.mu.pod
	if old == nil || old.UID != pod.UID {
		return false
	}
	e.mu.pod = pod
	return !maps.Equal(old.Labels, pod.Labels) || !maps.Equal(old.Annotations, pod.Annotations) || !equality.Semantic.DeepEqual(&old.Spec, &pod.Spec)
}

func (v *Volumes) refreshAll(ctx context.Context, table string) {
	for _, entry := range v.entries() {
		if table == "pods" {
			if current := v.podOf(entry); current != nil {
				entry.adopt(current)
			}
		}
		v.refresh(ctx, entry, func(pod *v1.Pod, volume *v1.Volume) bool { return usesTable(&volume.VolumeSource, table) })
	}
}

// podOf is the newest state of an entry's pod, or nil.
func (v *Volumes) podOf(entry *prepared) *v1.Pod {
	entry.mu.Lock()
	pod := entry.mu.pod
	entry.mu.Unlock()
	if pod == nil {
		return nil
	}
	return v.current(pod)
}

// current is the newest state of the pod, or nil if it is gone.
func (v *Volumes) current(pod *v1.Pod) *v1.Pod {
	current, _ := client.Get[*v1.Pod](v.cfg.Client.View(), "pods", pod.Namespace, pod.Name)
	return current
}

// usesTable says whether anything in the volume comes from the table.
func usesTable(source *v1.VolumeSource, table string) bool {
	if source.Projected == nil {
		return source.ConfigMap != nil && table == "configmaps" || source.Secret != nil && table == "secrets" ||
			source.DownwardAPI != nil && table == "pods"
	}
	for _, s := range source.Projected.Sources {
		if s.ConfigMap != nil && table == "configmaps" || s.Secret != nil && table == "secrets" || s.DownwardAPI != nil && table == "pods" {
			return true
		}
	}
	return false
}

func (v *Volumes) entries() []*prepared {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]*prepared, 0, len(v.mu.pods))
	for _, entry := range v.mu.pods {
		all = append(all, entry)
	}
	return all
}

// refresh writes the matching volumes of a pod again. An object that is gone leaves the files as they are, as upstream does: a
// running program must not lose its configuration; everything else is tried again.
func (v *Volumes) refresh(ctx context.Context, entry *prepared, match func(*v1.Pod, *v1.Volume) bool) {
	entry.mu.Lock()
	defer entry.mu.Unlock()
	pod := entry.mu.pod
	if pod == nil || entry.mu.released {
		return
	}
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if !isMirror(&volume.VolumeSource) || !match(pod, volume) {
			continue
		}
		_, err := v.mirror(ctx, entry, volume)
		if err == nil || ctx.Err() != nil {
			continue
		}
		if v.current(pod) == nil {
			return // the API shows a node nothing for a pod that is gone, and soon its volumes are, too
		}
		v.cfg.Log.Warn("update volume", "pod", pod.Namespace+"/"+pod.Name, "volume", volume.Name, "error", err)
		if !apierrors.IsNotFound(err) {
			v.renewAt(entry, volume.Name, v.cfg.Clock.Now().Add(retryAfter))
		}
	}
}

// renewDue writes volumes again when their time has come.
func (v *Volumes) renewDue(ctx context.Context) {
	for ctx.Err() == nil {
		now := v.cfg.Clock.Now()
		next := now.Add(time.Hour)
		for _, entry := range v.entries() {
			v.refresh(ctx, entry, func(_ *v1.Pod, volume *v1.Volume) bool {
				at, ok := entry.mu.renewals[volume.Name]
				return ok && !at.After(now)
			})
			next = earliest(next, entry)
		}
		select {
		case <-ctx.Done():
		case <-v.wake:
		case <-v.cfg.Clock.After(next.Sub(now)):
		}
	}
}

func earliest(next time.Time, entry *prepared) time.Time {
	entry.mu.Lock()
	defer entry.mu.Unlock()
	for _, at := range entry.mu.renewals {
		if at.Before(next) {
			next = at
		}
	}
	return next
}
