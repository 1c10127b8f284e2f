package loop

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/kinds/podspec"
	"proa/scheduler/filter"
)

// bind writes the decision, in the background. The outcome comes back to the session, unless a new one has begun.
func (l *Loop) bind(ctx context.Context, e *entry, node string) {
	l.acquire()
	l.writers.Go(func() {
		defer func() { <-l.bindings }()
		pod := e.pod.Pod
		binding := &v1.Binding{
			ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
			Target:     v1.ObjectReference{Kind: "Node", Name: node},
		}
		_, err := l.cfg.Client.Create(ctx, client.RefOf(podsTable, pod), "binding", binding, metav1.CreateOptions{})
		if err == nil {
			l.events.Eventf(pod, v1.EventTypeNormal, "Scheduled", "Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, node)
		} else if !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			l.cfg.Log.Error("pod could not be bound", "pod", pod.Namespace+"/"+pod.Name, "node", node, "err", err)
		}
		select {
		case l.outcomes <- outcome{e, err}:
		case <-ctx.Done():
		}
	})
}

// acquire waits for a free writer. It settles outcomes meanwhile, since a writer is only free once its outcome is taken.
func (l *Loop) acquire() {
	for {
		select {
		case l.bindings <- struct{}{}:
			return
		case o := <-l.outcomes:
			l.settle(o)
		}
	}
}

// reject tells the user why a pod has no node, once per reason.
func (l *Loop) reject(ctx context.Context, e *entry, reason string) {
	pod := e.pod.Pod
	if e.message == reason {
		return
	}
	e.message = reason
	l.writers.Go(func() {
		l.events.Eventf(pod, v1.EventTypeWarning, "FailedScheduling", "%s", reason)
		if c := podspec.Condition(pod, v1.PodScheduled); c != nil && c.Status == v1.ConditionFalse && c.Message == reason {
			return
		}
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{v1.PodCondition{
			Type: v1.PodScheduled, Status: v1.ConditionFalse, Reason: v1.PodReasonUnschedulable, Message: reason,
			LastTransitionTime: metav1.NewTime(l.cfg.Clock.Now()), ObservedGeneration: pod.Generation,
		}}}, "metadata": map[string]any{"uid": pod.UID}})
		if err == nil {
			_, err = l.cfg.Client.Patch(ctx, client.RefOf(podsTable, pod), "status", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			l.cfg.Log.Warn("pod's condition could not be written", "pod", pod.Namespace+"/"+pod.Name, "err", err)
		}
	})
}

// nodeChange says in which respects a node changed that filters wait for.
func nodeChange(old, node *v1.Node) filter.Change {
	if old == nil {
		return filter.NodeAdded
	}
	var change filter.Change
	if !maps.Equal(old.Labels, node.Labels) {
		change |= filter.NodeLabels
	}
	if old.Spec.Unschedulable != node.Spec.Unschedulable || !slices.EqualFunc(old.Spec.Taints, node.Spec.Taints, func(a, b v1.Taint) bool { return a.MatchTaint(&b) && a.Value == b.Value }) {
		change |= filter.NodeTaints
	}
	if !equality.Semantic.DeepEqual(old.Status.Allocatable, node.Status.Allocatable) {
		change |= filter.NodeAllocatable
	}
	return change
}

// sameMeta says whether nothing that scheduling depends on changed between two versions of one generation.
func sameMeta(a, b *v1.Pod) bool { return maps.Equal(a.Labels, b.Labels) }
