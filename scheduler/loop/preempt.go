package loop

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/scheduler"
)

// preempt has pods go so that a more important one fits on their node, in the background. The room counts as the pod's from
// now on; it is decided about again when they are gone.
func (l *Loop) preempt(ctx context.Context, e *entry, victims *scheduler.Victims) {
	pod := e.pod.Pod
	l.state.Nominate(e.pod, victims.Node)
	l.writers.Go(func() {
		failed := func(what string, about *v1.Pod, err error) {
			if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
				l.cfg.Log.Warn(what, "pod", about.Namespace+"/"+about.Name, "for", pod.Namespace+"/"+pod.Name, "err", err)
			}
		}
		failed("pod's nominated node could not be written", pod, l.patchStatus(ctx, pod, map[string]any{"nominatedNodeName": victims.Node}))
		for _, victim := range victims.Pods {
			failed("pod could not be marked as preempted", victim, l.patchStatus(ctx, victim, map[string]any{"conditions": []any{v1.PodCondition{
				Type: v1.DisruptionTarget, Status: v1.ConditionTrue, Reason: v1.PodReasonPreemptionByScheduler,
				Message:            fmt.Sprintf("%s: preempting to accommodate a higher priority pod", SchedulerName),
				LastTransitionTime: metav1.NewTime(l.cfg.Clock.Now()), ObservedGeneration: victim.Generation,
			}}}))
			opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(victim.UID))}
			err := l.cfg.Client.Delete(ctx, client.RefOf(podsTable, victim), opts)
			failed("pod could not be preempted", victim, err)
			if err == nil {
				l.events.Eventf(victim, v1.EventTypeNormal, "Preempted", "Preempted by pod %s on node %s", pod.UID, victims.Node)
			}
		}
	})
}

// patchStatus merges fields into a pod's status, if it is still the pod.
func (l *Loop) patchStatus(ctx context.Context, pod *v1.Pod, fields map[string]any) error {
	patch, err := json.Marshal(map[string]any{"status": fields, "metadata": map[string]any{"uid": pod.UID}})
	if err == nil {
		_, err = l.cfg.Client.Patch(ctx, client.RefOf(podsTable, pod), "status", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	}
	return err
}
