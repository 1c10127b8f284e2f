package core

import (
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// The longest that an event's texts may be, in bytes.
const (
	eventInstanceLimit = 128
	eventActionLimit   = 128
	eventReasonLimit   = 128
	eventNoteLimit     = 1024
)

func validateEventCore(event *corev1.Event) field.ErrorList {
	return validateEvent(event, field.NewPath("reportingComponent"))
}

func validateEventCoreUpdate(event, _ *corev1.Event) field.ErrorList { return validateEventCore(event) }

// validateEvent is what both groups want. reporter is the path of reportingController in the group that is written.
func validateEvent(event *corev1.Event, reporter *field.Path) field.ErrorList {
	var errs field.ErrorList
	about := event.InvolvedObject.Namespace
	mismatch := field.Invalid(field.NewPath("involvedObject", "namespace"), about, "does not match event.namespace")
	if event.EventTime.IsZero() {
		// Events about what has no namespace are kept in "default" by old clients.
		if about == "" && event.Namespace != "" && event.Namespace != metav1.NamespaceDefault || about != "" && about != event.Namespace {
			errs = append(errs, mismatch)
		}
	} else {
		if about == "" && event.Namespace != metav1.NamespaceDefault && event.Namespace != metav1.NamespaceSystem {
			errs = append(errs, mismatch)
		}
		errs = append(errs, validateEventTexts(event, reporter)...)
	}
	return append(errs, meta.Each(field.NewPath("namespace"), event.Namespace, utilvalidation.IsDNS1123Subdomain(event.Namespace))...)
}

func validateEventTexts(event *corev1.Event, reporter *field.Path) field.ErrorList {
	var errs field.ErrorList
	if event.ReportingController == "" {
		errs = append(errs, field.Required(reporter, ""))
	}
	errs = append(errs, meta.QualifiedName(reporter, event.ReportingController)...)
	for _, text := range []struct {
		name, value string
		limit       int
		optional    bool
	}{
		{"reportingInstance", event.ReportingInstance, eventInstanceLimit, false},
		{"action", event.Action, eventActionLimit, false},
		{"reason", event.Reason, eventReasonLimit, false},
		{"message", event.Message, eventNoteLimit, true},
	} {
		if text.value == "" && !text.optional {
			errs = append(errs, field.Required(field.NewPath(text.name), ""))
		}
		if len(text.value) > text.limit {
			errs = append(errs, field.Invalid(field.NewPath(text.name), "", fmt.Sprintf("can have at most %v characters", text.limit)))
		}
	}
	return errs
}

// validateEventStrictly is what events.k8s.io/v1 wants of a new event: nothing of the older form.
func validateEventStrictly(event *corev1.Event) field.ErrorList {
	errs := validateEvent(event, field.NewPath("reportingController"))
	errs = append(errs, meta.Validate(&resource.Resource{Namespaced: true}, event)...)
	errs = append(errs, validateEventSeries(event)...)
	if event.EventTime.IsZero() {
		errs = append(errs, field.Required(field.NewPath("eventTime"), ""))
	}
	if event.Type != corev1.EventTypeNormal && event.Type != corev1.EventTypeWarning {
		errs = append(errs, field.Invalid(field.NewPath("type"), "", fmt.Sprintf("has invalid value: %v", event.Type)))
	}
	for _, old := range []struct {
		name string
		set  bool
	}{
		{"firstTimestamp", !event.FirstTimestamp.IsZero()},
		{"lastTimestamp", !event.LastTimestamp.IsZero()},
		{"count", event.Count != 0},
		{"source", event.Source != corev1.EventSource{}},
	} {
		if old.set {
			errs = append(errs, field.Invalid(field.NewPath(old.name), "", "needs to be unset"))
		}
	}
	return errs
}

// validateEventStrictlyUpdate: under events.k8s.io/v1 only the series of an event goes on.
func validateEventStrictlyUpdate(event, old *corev1.Event) field.ErrorList {
	errs := validateEvent(event, field.NewPath("reportingController"))
	for i, finalizer := range event.Finalizers {
		errs = append(errs, meta.KnownFinalizer(field.NewPath("metadata", "finalizers").Index(i), finalizer)...)
	}
	if !reflect.DeepEqual(event.Series, old.Series) {
		errs = append(errs, validateEventSeries(event)...)
	}
	fixed := func(name string, value, before any) {
		if !equality.Semantic.DeepEqual(value, before) {
			errs = append(errs, field.Invalid(field.NewPath(name), meta.Internal(value), validation.FieldImmutableErrorMsg))
		}
	}
	fixed("involvedObject", event.InvolvedObject, old.InvolvedObject)
	fixed("reason", event.Reason, old.Reason)
	fixed("message", event.Message, old.Message)
	fixed("source", event.Source, old.Source)
	fixed("firstTimestamp", event.FirstTimestamp, old.FirstTimestamp)
	fixed("lastTimestamp", event.LastTimestamp, old.LastTimestamp)
	fixed("count", event.Count, old.Count)
	fixed("type", event.Type, old.Type)
	// A client that keeps microseconds only may send back a time that was stored with more.
	if !event.EventTime.Truncate(time.Microsecond).Equal(old.EventTime.Truncate(time.Microsecond)) {
		fixed("eventTime", event.EventTime, old.EventTime)
	}
	fixed("action", event.Action, old.Action)
	fixed("related", event.Related, old.Related)
	fixed("reportingController", event.ReportingController, old.ReportingController)
	fixed("reportingInstance", event.ReportingInstance, old.ReportingInstance)
	return errs
}

func validateEventSeries(event *corev1.Event) field.ErrorList {
	var errs field.ErrorList
	if event.Series == nil {
		return nil
	}
	if event.Series.Count < 2 {
		errs = append(errs, field.Invalid(field.NewPath("series.count"), "", "should be at least 2"))
	}
	if event.Series.LastObservedTime.IsZero() {
		errs = append(errs, field.Required(field.NewPath("series.lastObservedTime"), ""))
	}
	return errs
}
