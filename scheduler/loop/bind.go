package loop

import (
	"context"
	"errors"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/podspec"
	"proa/kinds/storage"
	"proa/scheduler"
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
		case l.outcomes <- outcome{entry: e, err: err}:
		case <-ctx.Done():
		}
	})
}

// errVolumes: the pod is bound when its claims are.
var errVolumes = errors.New("waiting for volumes to be bound")

// provide has the claims of a pod get their volumes for its node, in the background. The pod waits for that: it is decided
// about again when they have them, and the volumes then hold it to their node.
func (l *Loop) provide(ctx context.Context, e *entry, d scheduler.Decision) {
	l.acquire()
	l.writers.Go(func() {
		defer func() { <-l.bindings }()
		o := outcome{entry: e, err: errVolumes, waits: filter.Volumes}
		for _, p := range d.Volumes {
			if err := l.provideOne(ctx, p, d.Node); err != nil {
				if !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
					l.cfg.Log.Error("volume could not be provided", "claim", p.Claim.Namespace+"/"+p.Claim.Name, "node", d.Node, "err", err)
				}
				o = outcome{entry: e, err: err}
			}
		}
		select {
		case l.outcomes <- o:
		case <-ctx.Done():
		}
	})
}

// provideOne gives a free volume to the claim, or tells the claim's provisioner the node.
func (l *Loop) provideOne(ctx context.Context, p filter.Provision, node string) error {
	if p.Volume != nil {
		if storage.IsFor(p.Volume, p.Claim) {
			return nil // the controller completes it
		}
		next := p.Volume.DeepCopy()
		next.Spec.ClaimRef = &v1.ObjectReference{
			Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: p.Claim.Namespace, Name: p.Claim.Name, UID: p.Claim.UID, ResourceVersion: p.Claim.ResourceVersion,
		}
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.BoundByController, "yes")
		_, err := l.cfg.Client.Update(ctx, client.RefOf(volumesTable, next), "", next, metav1.UpdateOptions{})
		return err
	}
	if p.Claim.Annotations[storage.SelectedNode] == node {
		return nil
	}
	next := p.Claim.DeepCopy()
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, storage.SelectedNode, node)
	_, err := l.cfg.Client.Update(ctx, client.RefOf(claimsTable, next), "", next, metav1.UpdateOptions{})
	return err
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
		err := l.patchStatus(ctx, pod, map[string]any{"conditions": []any{v1.PodCondition{
			Type: v1.PodScheduled, Status: v1.ConditionFalse, Reason: v1.PodReasonUnschedulable, Message: reason,
			LastTransitionTime: metav1.NewTime(l.cfg.Clock.Now()), ObservedGeneration: pod.Generation,
		}}})
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
	if !slices.Equal(old.Status.DeclaredFeatures, node.Status.DeclaredFeatures) {
		change |= filter.NodeFeatures
	}
	return change
}

// sameMeta says whether nothing that scheduling depends on changed between two versions of one generation.
func sameMeta(a, b *v1.Pod) bool { return maps.Equal(a.Labels, b.Labels) }
