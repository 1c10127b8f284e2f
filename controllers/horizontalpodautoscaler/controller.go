// Package horizontalpodautoscaler keeps the number of replicas of what can be scaled in line with what its pods use.
//
// It decides how many replicas there should be, how fast they may come and go, and what the status says; it owns the scale
// of its targets and the status of autoscalers, and remembers, as long as the process lives, what it recommended and did
// lately; the controller host calls it. When usage is not known it says so and leaves the number as it is.
package horizontalpodautoscaler

import (
	"context"
	"fmt"
	"sync"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/reconcile"
)

const (
	table = "horizontalpodautoscalers.autoscaling"
	// period is how often an autoscaler looks: as often as usage is measured.
	period = 5 * time.Second
)

// Usage says what pods use.
type Usage interface {
	// Containers is what the containers of a pod used over the window that ended at that time; ok is false if that is not
	// known.
	Containers(namespace, pod string) (containers map[string]corev1.ResourceList, at time.Time, window time.Duration, ok bool)
}

type controller struct {
	kinds      *kinds.Table
	usage      Usage
	downWindow time.Duration

	mu struct {
		sync.Mutex
		memories map[reconcile.Key]*memory
	}
}

// New makes the controller of the scalable kinds of a table. downWindow is how long the highest recommendation of late holds
// when an autoscaler does not say it.
func New(scalable *kinds.Table, usage Usage, downWindow time.Duration) reconcile.Controller {
	c := &controller{kinds: scalable, usage: usage, downWindow: downWindow}
	c.mu.memories = map[reconcile.Key]*memory{}
	none := func(client.View, client.Event) []reconcile.Key { return nil }
	reads := []reconcile.Read{{Table: table, Keys: reconcile.Self}, {Table: "pods", Keys: none}}
	var writes []string
	for _, r := range scalable.Rows() {
		if r.Scale != nil && r.Custom == nil { // custom kinds come and go: they are looked at when it is time
			reads = append(reads, reconcile.Read{Table: r.Table(), Keys: none})
			writes = append(writes, r.Table()+"/scale")
		}
	}
	return reconcile.Controller{
		Name:      "horizontal-pod-autoscaler",
		Identity:  "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
		Source:    "horizontal-pod-autoscaler",
		Reads:     reads,
		Writes:    append(writes, table+"/status"),
		Reconcile: c.run,
		Workers:   4,
	}
}

// memoryOf is what is remembered of an autoscaler.
func (c *controller) memoryOf(key reconcile.Key, uid string) *memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.mu.memories[key]
	if m == nil || m.uid != uid {
		m = &memory{uid: uid}
		c.mu.memories[key] = m
	}
	return m
}

func (c *controller) forget(key reconcile.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.memories, key)
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	a, ok := client.Get[*autoscalingv2.HorizontalPodAutoscaler](req.View, table, req.Namespace, req.Name)
	if !ok || a.DeletionTimestamp != nil {
		c.forget(req.Key)
		return reconcile.Result{}, nil
	}
	d := &decision{
		spec: &a.Spec, status: *a.Status.DeepCopy(), now: req.Now, memory: c.memoryOf(req.Key, string(a.UID)), downWindow: c.downWindow,
		events: func(kind, reason, format string, args ...any) { req.Events.Eventf(a, kind, reason, format, args...) },
	}
	d.status.ObservedGeneration = &a.Generation
	row, target, err := c.target(req.View, a)
	if err != nil {
		d.condition(autoscalingv2.AbleToScale, false, "FailedGetScale", "the HPA controller was unable to get the target's current scale: %v", err)
		d.events(corev1.EventTypeWarning, "FailedGetScale", "%v", err)
		return reconcile.Result{After: period}, c.writeStatus(ctx, req, a, d)
	}
	d.condition(autoscalingv2.AbleToScale, true, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
	if err := c.observe(req.View, d, row, target); err != nil {
		d.condition(autoscalingv2.ScalingActive, false, "InvalidSelector", "%v", err)
		d.events(corev1.EventTypeWarning, "InvalidSelector", "%v", err)
		return reconcile.Result{After: period}, c.writeStatus(ctx, req, a, d)
	}
	d.decide()
	if d.desired != d.current {
		err = c.rescale(ctx, req, row, target, d)
	}
	d.status.CurrentReplicas, d.status.DesiredReplicas = d.existing, d.desired
	if failed := c.writeStatus(ctx, req, a, d); failed != nil {
		err = failed
	}
	return reconcile.Result{After: period}, err
}

// target finds what the autoscaler scales.
func (c *controller) target(view client.View, a *autoscalingv2.HorizontalPodAutoscaler) (*resource.Resource, client.Object, error) {
	ref := a.Spec.ScaleTargetRef
	row := c.kinds.ByKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	if row == nil {
		return nil, nil, fmt.Errorf("no matches for kind %q in group %q", ref.Kind, schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group)
	}
	if row.Scale == nil {
		return nil, nil, fmt.Errorf("a %s cannot be scaled", ref.Kind)
	}
	obj := view.Get(client.Ref{Table: row.Table(), Namespace: a.Namespace, Name: ref.Name})
	if obj == nil {
		return nil, nil, apierrors.NewNotFound(row.GroupResource(), ref.Name)
	}
	if row.Custom == nil {
		return row, obj, nil
	}
	shown, err := row.Custom.Show([]resource.Object{obj.DeepCopyObject().(resource.Object)}) // it may be stored in another version
	if err != nil {
		return nil, nil, err
	}
	return row, shown[0], row.Scale.Check(shown[0])
}

// observe gathers the target's pods and what they use.
func (c *controller) observe(view client.View, d *decision, row *resource.Resource, target client.Object) error {
	var text string
	d.current, d.existing, text = row.Scale.Get(target)
	if text == "" {
		return fmt.Errorf("selector is required")
	}
	selector, err := labels.Parse(text)
	if err != nil {
		return fmt.Errorf("couldn't convert selector into a corresponding internal selector object: %w", err)
	}
	for pod := range client.List[*corev1.Pod](view, "pods", target.GetNamespace()) {
		if !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		p := observed{pod: pod}
		p.containers, p.at, p.window, p.known = c.usage.Containers(pod.Namespace, pod.Name)
		d.pods = append(d.pods, p)
	}
	return nil
}

func (c *controller) rescale(ctx context.Context, req reconcile.Request, row *resource.Resource, target client.Object, d *decision) error {
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: target.GetNamespace(), Name: target.GetName(), UID: target.GetUID()},
		Spec:       autoscalingv1.ScaleSpec{Replicas: d.desired},
	}
	if _, err := req.Client.Update(ctx, client.RefOf(row.Table(), target), "scale", scale, metav1.UpdateOptions{}); err != nil {
		d.events(corev1.EventTypeWarning, "FailedRescale", "New size: %d; reason: %s; error: %v", d.desired, d.reason, err)
		d.condition(autoscalingv2.AbleToScale, false, "FailedUpdateScale", "the HPA controller was unable to update the target scale: %v", err)
		d.desired = d.current
		return fmt.Errorf("rescale %s: %w", req.Key, err)
	}
	d.condition(autoscalingv2.AbleToScale, true, "SucceededRescale", "the HPA controller was able to update the target scale to %d", d.desired)
	d.events(corev1.EventTypeNormal, "SuccessfulRescale", "New size: %d; reason: %s", d.desired, d.reason)
	d.memory.did(d.now, d.desired-d.current)
	now := metav1.NewTime(d.now)
	d.status.LastScaleTime = &now
	return nil
}

func (c *controller) writeStatus(ctx context.Context, req reconcile.Request, a *autoscalingv2.HorizontalPodAutoscaler, d *decision) error {
	if equality.Semantic.DeepEqual(d.status, a.Status) {
		return nil
	}
	next := a.DeepCopy()
	next.Status = d.status
	_, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
