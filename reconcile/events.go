package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
	"proa/kinds"
)

// maxPendingEvents bounds the events that wait to be written; what comes on top is dropped.
const maxPendingEvents = 1000

// Recorder tells users what was done, as core/v1 Events. Events that repeat become one with a count, as upstream's
// correlator does. They are written in the background, in order, and lost when the API refuses them: nothing depends on them.
type Recorder struct {
	config recorderConfig

	mu struct {
		sync.Mutex
		correlator *correlator
		pending    []func(context.Context)
		draining   bool
		lastStamp  int64
	}
	done sync.WaitGroup
}

type recorderConfig struct {
	client    client.Client
	kinds     *kinds.Table
	component string // event.source.component
	clock     Clock
	log       *slog.Logger
	// background ends the writing of events; nil has them written before Eventf returns.
	background context.Context
}

func newRecorder(config recorderConfig) *Recorder {
	r := &Recorder{config: config}
	r.mu.correlator = newCorrelator()
	return r
}

// NewRecorder makes a recorder for parts that are not run by a Host. Events are written before Eventf returns.
func NewRecorder(c client.Client, table *kinds.Table, component string, clock Clock, log *slog.Logger) *Recorder {
	return newRecorder(recorderConfig{client: c, kinds: table, component: component, clock: clock, log: log})
}

// Background has further events written on a goroutine of the recorder's own, until ctx ends. Call it before the first one.
func (r *Recorder) Background(ctx context.Context) *Recorder {
	r.config.background = ctx
	return r
}

// Eventf records that something happened to an object of the table of kinds. eventType is corev1.EventTypeNormal or
// corev1.EventTypeWarning.
func (r *Recorder) Eventf(about client.Object, eventType, reason, format string, args ...any) {
	gvk := about.GetObjectKind().GroupVersionKind()
	if row := r.config.kinds.Of(about); row != nil {
		gvk = row.GroupVersionKind()
	}
	r.EventAbout(reference(about, gvk), eventType, reason, fmt.Sprintf(format, args...))
}

func reference(about client.Object, gvk schema.GroupVersionKind) corev1.ObjectReference {
	return corev1.ObjectReference{
		APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind,
		Namespace: about.GetNamespace(), Name: about.GetName(),
		UID: about.GetUID(), ResourceVersion: about.GetResourceVersion(),
	}
}

// EventAbout records that something happened to an object that is known by reference only.
func (r *Recorder) EventAbout(about corev1.ObjectReference, eventType, reason, message string) {
	now := r.config.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	step := r.mu.correlator.observe(now, about, eventType, reason, message)
	if step.drop || len(r.mu.pending) >= maxPendingEvents {
		return
	}
	event := r.eventLocked(now, about, eventType, reason, step)
	r.mu.pending = append(r.mu.pending, func(ctx context.Context) { r.write(ctx, event, step) })
	if r.config.background == nil {
		r.drainLocked(context.Background())
		return
	}
	if !r.mu.draining {
		r.mu.draining = true
		r.done.Go(func() { r.drain(r.config.background) })
	}
}

func (r *Recorder) eventLocked(now time.Time, about corev1.ObjectReference, eventType, reason string, step step) *corev1.Event {
	r.mu.lastStamp = max(now.UnixNano(), r.mu.lastStamp+1)
	namespace := about.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%x", about.Name, r.mu.lastStamp)},
		InvolvedObject:      about,
		Type:                eventType,
		Reason:              reason,
		Message:             step.message,
		Source:              corev1.EventSource{Component: r.config.component},
		ReportingController: r.config.component,
		FirstTimestamp:      metav1.NewTime(step.first),
		LastTimestamp:       metav1.NewTime(now),
		Count:               step.count,
	}
}

// drain writes what is pending and ends when there is nothing left.
func (r *Recorder) drain(ctx context.Context) {
	for {
		r.mu.Lock()
		pending := r.mu.pending
		r.mu.pending = nil
		if len(pending) == 0 || ctx.Err() != nil {
			r.mu.draining = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, write := range pending {
			write(ctx)
		}
	}
}

// drainLocked writes what is pending while the lock is held: recorders without background have one user at a time.
func (r *Recorder) drainLocked(ctx context.Context) {
	pending := r.mu.pending
	r.mu.pending = nil
	r.mu.Unlock()
	defer r.mu.Lock()
	for _, write := range pending {
		write(ctx)
	}
}

// write makes a new Event, or raises the count of the one that says the same.
func (r *Recorder) write(ctx context.Context, event *corev1.Event, step step) {
	err := r.raise(ctx, event, step)
	if step.written == nil || apierrors.IsNotFound(err) {
		_, err = r.config.client.Create(ctx, client.RefOf("events", event), "", event, metav1.CreateOptions{})
		if err == nil {
			step.remember(event.Name)
		}
	}
	if err != nil && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		r.config.log.Debug("event lost", "reason", event.Reason, "about", event.InvolvedObject.Name, "error", err)
	}
}

func (r *Recorder) raise(ctx context.Context, event *corev1.Event, step step) error {
	if step.written == nil {
		return nil
	}
	name := step.written.name()
	if name == "" { // its creation failed
		return apierrors.NewNotFound(corev1.Resource("events"), name)
	}
	patch, err := countPatch(event)
	if err != nil {
		return err
	}
	ref := client.Ref{Table: "events", Namespace: event.Namespace, Name: name}
	_, err = r.config.client.Patch(ctx, ref, "", types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// close waits until events are written; ctx of the host has ended then, so that is soon.
func (r *Recorder) close() { r.done.Wait() }
