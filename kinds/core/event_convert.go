package core

import (
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"

	"proa/kinds/resource"
)

// eventToCore makes the stored form of an events.k8s.io event. Nothing is lost either way.
func eventToCore(obj resource.Object) (resource.Object, error) {
	from := obj.(*eventsv1.Event).DeepCopy()
	to := &corev1.Event{
		TypeMeta:            from.TypeMeta,
		ObjectMeta:          from.ObjectMeta,
		InvolvedObject:      from.Regarding,
		Reason:              from.Reason,
		Message:             from.Note,
		Source:              from.DeprecatedSource,
		FirstTimestamp:      from.DeprecatedFirstTimestamp,
		LastTimestamp:       from.DeprecatedLastTimestamp,
		Count:               from.DeprecatedCount,
		Type:                from.Type,
		EventTime:           from.EventTime,
		Action:              from.Action,
		Related:             from.Related,
		ReportingController: from.ReportingController,
		ReportingInstance:   from.ReportingInstance,
	}
	if from.Series != nil {
		to.Series = &corev1.EventSeries{Count: from.Series.Count, LastObservedTime: from.Series.LastObservedTime}
	}
	to.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Event"))
	return to, nil
}

// eventFromCore makes the events.k8s.io form of a stored event.
func eventFromCore(obj resource.Object) (resource.Object, error) {
	from := obj.(*corev1.Event).DeepCopy()
	to := &eventsv1.Event{
		TypeMeta:                 from.TypeMeta,
		ObjectMeta:               from.ObjectMeta,
		Regarding:                from.InvolvedObject,
		Reason:                   from.Reason,
		Note:                     from.Message,
		DeprecatedSource:         from.Source,
		DeprecatedFirstTimestamp: from.FirstTimestamp,
		DeprecatedLastTimestamp:  from.LastTimestamp,
		DeprecatedCount:          from.Count,
		Type:                     from.Type,
		EventTime:                from.EventTime,
		Action:                   from.Action,
		Related:                  from.Related,
		ReportingController:      from.ReportingController,
		ReportingInstance:        from.ReportingInstance,
	}
	if from.Series != nil {
		to.Series = &eventsv1.EventSeries{Count: from.Series.Count, LastObservedTime: from.Series.LastObservedTime}
	}
	to.SetGroupVersionKind(eventsv1.SchemeGroupVersion.WithKind("Event"))
	return to, nil
}
