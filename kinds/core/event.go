package core

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Event is the row of events. One stored object is read and written as v1 of the core group, which takes nearly
// everything, and as events.k8s.io/v1, which is strict (KEP-383).
func Event() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "events", Singular: "event", Kind: "Event", ShortNames: []string{"ev"}, Namespaced: true,
		New:                      func() resource.Object { return &corev1.Event{} },
		NewList:                  func() runtime.Object { return &corev1.EventList{} },
		Validate:                 resource.Typed(validateEventCore),
		ValidateUpdate:           resource.Typed2(validateEventCoreUpdate),
		LooseMetadata:            true,
		NoDependents:             true,
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  eventColumns(),
		Row:                      resource.Typed(eventRow),
		Fields:                   resource.Typed(eventFields),
		FieldLabels: []string{
			"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
			"involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
			"reason", "reportingComponent", "source", "type",
		},
		Served: []resource.Served{{
			Group: eventsv1.GroupName, Version: "v1",
			New:            func() resource.Object { return &eventsv1.Event{} },
			NewList:        func() runtime.Object { return &eventsv1.EventList{} },
			ToStored:       eventToCore,
			FromStored:     eventFromCore,
			Validate:       resource.Typed(validateEventStrictly),
			ValidateUpdate: resource.Typed2(validateEventStrictlyUpdate),
			FieldLabels: map[string]string{
				"regarding.kind": "involvedObject.kind", "regarding.namespace": "involvedObject.namespace",
				"regarding.name": "involvedObject.name", "regarding.uid": "involvedObject.uid",
				"regarding.apiVersion": "involvedObject.apiVersion", "regarding.resourceVersion": "involvedObject.resourceVersion",
				"regarding.fieldPath": "involvedObject.fieldPath",
				"reason":              "reason", "reportingController": "reportingComponent", "type": "type",
			},
		}},
	}
}

func eventFields(event *corev1.Event) fields.Set {
	about := event.InvolvedObject
	return fields.Set{
		"involvedObject.kind":            about.Kind,
		"involvedObject.namespace":       about.Namespace,
		"involvedObject.name":            about.Name,
		"involvedObject.uid":             string(about.UID),
		"involvedObject.apiVersion":      about.APIVersion,
		"involvedObject.resourceVersion": about.ResourceVersion,
		"involvedObject.fieldPath":       about.FieldPath,
		"reason":                         event.Reason,
		"reportingComponent":             event.ReportingController,
		"source":                         firstOf(event.Source.Component, event.ReportingController),
		"type":                           event.Type,
	}
}

func eventColumns() []resource.Column {
	doc := corev1.Event{}.SwaggerDoc()
	name := meta.Name()
	name.Priority = 1
	return []resource.Column{
		meta.Column("Last Seen", doc["lastTimestamp"]),
		meta.Column("Type", doc["type"]),
		meta.Column("Reason", doc["reason"]),
		meta.Column("Object", doc["involvedObject"]),
		meta.Wide("Subobject", corev1.ObjectReference{}.SwaggerDoc()["fieldPath"]),
		meta.Wide("Source", doc["source"]),
		meta.Column("Message", doc["message"]),
		meta.Wide("First Seen", doc["firstTimestamp"]),
		meta.Wide("Count", doc["count"]),
		name,
	}
}

func eventRow(event *corev1.Event) []any {
	first := meta.Since(event.FirstTimestamp)
	if event.FirstTimestamp.IsZero() {
		first = meta.SinceMicro(event.EventTime)
	}
	last, count := meta.Since(event.LastTimestamp), cmp.Or(event.Count, 1)
	switch {
	case event.Series != nil:
		last, count = meta.SinceMicro(event.Series.LastObservedTime), event.Series.Count
	case event.LastTimestamp.IsZero():
		last = first
	}
	about := strings.ToLower(event.InvolvedObject.Kind)
	if event.InvolvedObject.Name != "" {
		about += "/" + event.InvolvedObject.Name
	}
	source := firstOf(event.Source.Component, event.ReportingController)
	if instance := firstOf(event.Source.Host, event.ReportingInstance); instance != "" {
		source += ", " + instance
	}
	return []any{
		last, event.Type, event.Reason, about, event.InvolvedObject.FieldPath, source,
		strings.TrimSpace(event.Message), first, int64(count), event.Name,
	}
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
