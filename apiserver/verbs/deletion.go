package verbs

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/apiextensions"
	"proa/kinds/resource"
)

// deletion is what a delete request leads to: nothing (pending), another version of the object (keep), or its removal.
type deletion struct {
	pending bool
	keep    resource.Object
	last    resource.Object // how it looks when it is removed; nil: as it is stored
}

// planDeletion decides. old is shared; keep is a copy.
func planDeletion(r *resource.Resource, old resource.Object, opts metav1.DeleteOptions, now time.Time) deletion {
	if namespace, ok := old.(*corev1.Namespace); ok && len(namespace.Spec.Finalizers) > 0 {
		return planNamespaceDeletion(namespace, &opts, now)
	}
	if d, ok := old.(*apiextensionsv1.CustomResourceDefinition); ok && d.DeletionTimestamp == nil {
		obj := d.DeepCopy()
		apiextensions.MarkDeleting(obj, now)
		return deletion{keep: obj}
	}
	var obj resource.Object
	copied := func() resource.Object {
		if obj == nil {
			obj = copyOf(old)
		}
		return obj
	}
	graceful, pending := false, false
	if r.GracePeriod != nil {
		graceful, pending = planGrace(r, copied(), &opts, now)
	}
	if pending {
		return deletion{pending: true}
	}
	if finalizers := deletionFinalizers(r, old, &opts); !slices.Equal(finalizers, old.GetFinalizers()) {
		copied().SetFinalizers(finalizers)
	}
	held := len(old.GetFinalizers()) > 0
	if obj != nil {
		held = len(obj.GetFinalizers()) > 0
	}
	switch {
	case graceful && (held || *opts.GracePeriodSeconds > 0):
		return deletion{keep: copied()}
	case held:
		markDeleting(copied(), now)
		return deletion{keep: copied()}
	}
	if graceful { // its time is over at once, which its watchers see
		return deletion{last: obj}
	}
	return deletion{}
}

// planGrace sets when the object is to be gone. graceful: the object is changed and waits; pending: it already waits.
func planGrace(r *resource.Resource, obj resource.Object, opts *metav1.DeleteOptions, now time.Time) (graceful, pending bool) {
	if opts.GracePeriodSeconds != nil && *opts.GracePeriodSeconds < 0 {
		one := int64(1)
		opts.GracePeriodSeconds = &one
	}
	if at := obj.GetDeletionTimestamp(); at != nil {
		have := obj.GetDeletionGracePeriodSeconds()
		if have == nil || *have == 0 {
			return false, false
		}
		if opts.GracePeriodSeconds == nil || *opts.GracePeriodSeconds >= *have {
			return false, true // a grace period may only become shorter
		}
		period := *opts.GracePeriodSeconds
		sooner := metav1.NewTime(at.Add(time.Duration(period-*have) * time.Second))
		if sooner.Time.Before(now) {
			sooner = metav1.NewTime(now)
			if period != 0 {
				period = 1 // all of it is over, but who waits is still to be told first
			}
		}
		obj.SetDeletionTimestamp(&sooner)
		obj.SetDeletionGracePeriodSeconds(&period)
		return true, false
	}
	r.GracePeriod(obj, opts)
	if opts.GracePeriodSeconds == nil {
		return false, false
	}
	at := metav1.NewTime(now.Add(time.Duration(*opts.GracePeriodSeconds) * time.Second)).Rfc3339Copy()
	obj.SetDeletionTimestamp(&at)
	obj.SetDeletionGracePeriodSeconds(opts.GracePeriodSeconds)
	if obj.GetGeneration() > 0 {
		obj.SetGeneration(obj.GetGeneration() + 1)
	}
	return true, false
}

// markDeleting lets finalizers see that the object is to go.
func markDeleting(obj resource.Object, now time.Time) {
	if obj.GetDeletionTimestamp() == nil && obj.GetGeneration() > 0 {
		obj.SetGeneration(obj.GetGeneration() + 1)
	}
	if at := obj.GetDeletionTimestamp(); at == nil || at.After(now) {
		t := metav1.NewTime(now).Rfc3339Copy()
		obj.SetDeletionTimestamp(&t)
	}
	zero := int64(0)
	obj.SetDeletionGracePeriodSeconds(&zero)
}

// deletionFinalizers is the object's finalizers with those of the garbage collector as the options want them.
func deletionFinalizers(r *resource.Resource, obj resource.Object, opts *metav1.DeleteOptions) []string {
	have := obj.GetFinalizers()
	orphan, foreground := propagation(r, have, opts)
	return withPropagation(have, orphan, foreground)
}

// withPropagation is a list of finalizers with those of the garbage collector that are wanted, and no others of it.
func withPropagation(have []string, orphan, foreground bool) []string {
	hasOrphan := slices.Contains(have, metav1.FinalizerOrphanDependents)
	hasForeground := slices.Contains(have, metav1.FinalizerDeleteDependents)
	if orphan == hasOrphan && foreground == hasForeground {
		return have
	}
	var want []string
	for _, f := range have {
		if f != metav1.FinalizerOrphanDependents && f != metav1.FinalizerDeleteDependents {
			want = append(want, f)
		}
	}
	if orphan {
		want = append(want, metav1.FinalizerOrphanDependents)
	}
	if foreground {
		want = append(want, metav1.FinalizerDeleteDependents)
	}
	return want
}

// propagation says what happens to dependents: the options decide, else the finalizers that are there, else the kind.
func propagation(r *resource.Resource, finalizers []string, opts *metav1.DeleteOptions) (orphan, foreground bool) {
	switch {
	case r.NoDependents:
		return false, false
	case opts.OrphanDependents != nil: //nolint:staticcheck // old clients send it
		return *opts.OrphanDependents, false //nolint:staticcheck // old clients send it
	case opts.PropagationPolicy != nil:
		return *opts.PropagationPolicy == metav1.DeletePropagationOrphan, *opts.PropagationPolicy == metav1.DeletePropagationForeground
	}
	for _, f := range finalizers {
		switch f {
		case metav1.FinalizerOrphanDependents:
			return true, false
		case metav1.FinalizerDeleteDependents:
			return false, true
		}
	}
	return r.OrphanDependents, false
}

// planNamespaceDeletion starts the end of a namespace: its controller empties it, and then its finalizers. Its own rule for
// what depends on it is upstream's: who says that it is not to be orphaned waits for it.
func planNamespaceDeletion(old *corev1.Namespace, opts *metav1.DeleteOptions, now time.Time) deletion {
	if old.DeletionTimestamp != nil {
		return deletion{pending: true}
	}
	namespace := old.DeepCopy()
	at := metav1.NewTime(now).Rfc3339Copy()
	namespace.DeletionTimestamp = &at
	namespace.Status.Phase = corev1.NamespaceTerminating
	orphan, foreground := slices.Contains(old.Finalizers, metav1.FinalizerOrphanDependents), slices.Contains(old.Finalizers, metav1.FinalizerDeleteDependents)
	switch {
	case opts.OrphanDependents != nil: //nolint:staticcheck // old clients send it
		orphan = *opts.OrphanDependents //nolint:staticcheck // old clients send it
		foreground = !orphan
	case opts.PropagationPolicy != nil:
		orphan, foreground = *opts.PropagationPolicy == metav1.DeletePropagationOrphan, *opts.PropagationPolicy == metav1.DeletePropagationForeground
	}
	namespace.Finalizers = withPropagation(old.Finalizers, orphan, foreground)
	if namespace.Generation > 0 {
		namespace.Generation++
	}
	return deletion{keep: namespace}
}

// finished says that an update took away the last thing that held an object which is being deleted.
func finished(obj, old resource.Object) bool {
	if old.GetDeletionTimestamp() == nil || len(obj.GetFinalizers()) > 0 {
		return false
	}
	if namespace, ok := obj.(*corev1.Namespace); ok && len(namespace.Spec.Finalizers) > 0 {
		return false
	}
	grace := old.GetDeletionGracePeriodSeconds()
	return grace == nil || *grace == 0
}
