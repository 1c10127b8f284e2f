package run

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// Events writes events about pods and their node. Equal ones raise the count of the first, for as long as it is remembered.
type Events struct {
	client   client.Client
	nodeName string
	log      *slog.Logger
	queue    chan *v1.Event
	known    map[string]*v1.Event // by what makes them equal; of Run's goroutine
}

const (
	maxQueuedEvents = 1000
	maxKnownEvents  = 1000
	eventSource     = "kubelet" // users and tools filter by it
)

// NewEvents makes a recorder; Run writes what it is given.
func NewEvents(c client.Client, nodeName string, log *slog.Logger) *Events {
	return &Events{client: c, nodeName: nodeName, log: log, queue: make(chan *v1.Event, maxQueuedEvents), known: map[string]*v1.Event{}}
}

// Event implements Recorder.
func (e *Events) Event(p *v1.Pod, container, eventType, reason, message string) {
	e.put(&v1.Event{
		InvolvedObject: v1.ObjectReference{
			Kind: "Pod", APIVersion: "v1", Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion,
			FieldPath: fieldPath(p, container),
		},
		Type: eventType, Reason: reason, Message: message,
	})
}

// NodeEvent records one event about the node. As everywhere, its name stands for its uid.
func (e *Events) NodeEvent(eventType, reason, message string) {
	e.put(&v1.Event{
		InvolvedObject: v1.ObjectReference{Kind: "Node", APIVersion: "v1", Name: e.nodeName, UID: types.UID(e.nodeName)},
		Type:           eventType, Reason: reason, Message: message,
	})
}

func (e *Events) put(event *v1.Event) {
	now, about := metav1.Now(), event.InvolvedObject
	event.Namespace, event.Name = about.Namespace, fmt.Sprintf("%s.%x", about.Name, now.UnixNano())
	if event.Namespace == "" {
		event.Namespace = v1.NamespaceDefault
	}
	event.Count, event.FirstTimestamp, event.LastTimestamp = 1, now, now
	event.Source = v1.EventSource{Component: eventSource, Host: e.nodeName}
	event.ReportingController, event.ReportingInstance = eventSource, e.nodeName
	select {
	case e.queue <- event:
	default:
		e.log.Warn("event dropped", "about", about.Kind+" "+about.Namespace+"/"+about.Name, "reason", event.Reason)
	}
}

func fieldPath(p *v1.Pod, container string) string {
	if container == "" {
		return ""
	}
	for i := range p.Spec.InitContainers {
		if p.Spec.InitContainers[i].Name == container {
			return "spec.initContainers{" + container + "}"
		}
	}
	for i := range p.Spec.EphemeralContainers {
		if p.Spec.EphemeralContainers[i].Name == container {
			return "spec.ephemeralContainers{" + container + "}"
		}
	}
	return "spec.containers{" + container + "}"
}

// Run writes events until ctx ends.
func (e *Events) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-e.queue:
			if err := e.write(ctx, event); err != nil && ctx.Err() == nil {
				e.log.Info("write event", "reason", event.Reason, "error", err)
			}
		}
	}
}

func (e *Events) write(ctx context.Context, event *v1.Event) error {
	o := event.InvolvedObject
	key := fmt.Sprint(o.UID, o.FieldPath, event.Type, event.Reason, event.Message)
	if before := e.known[key]; before != nil {
		before.Count++
		before.LastTimestamp = event.LastTimestamp
		patch, err := json.Marshal(map[string]any{"count": before.Count, "lastTimestamp": before.LastTimestamp})
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		_, err = e.client.Patch(ctx, client.RefOf("events", before), "", types.MergePatchType, patch, metav1.PatchOptions{})
		if err == nil {
			return nil
		}
	}
	if len(e.known) >= maxKnownEvents {
		clear(e.known)
	}
	e.known[key] = event
	_, err := e.client.Create(ctx, client.RefOf("events", event), "", event.DeepCopy(), metav1.CreateOptions{})
	return err
}
