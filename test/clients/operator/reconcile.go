package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// finalizer holds a fleet until the logbook tells of its end.
const finalizer = "sea.example/logbook"

// assembled is the condition of a fleet that has all its ships.
const assembled = "Assembled"

// reconciler makes of a fleet what belongs to it. It alone writes fleets' status and the logbook.
type reconciler struct {
	client client.Client
	events events.EventRecorder
}

func (r *reconciler) add(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).For(&Fleet{}).Owns(&appsv1.Deployment{}).Owns(&corev1.ConfigMap{}).Complete(r)
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	f := &Fleet{}
	if err := r.client.Get(ctx, request.NamespacedName, f); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if f.DeletionTimestamp != nil {
		return ctrl.Result{}, r.end(ctx, f)
	}
	if controllerutil.AddFinalizer(f, finalizer) {
		return ctrl.Result{}, r.client.Update(ctx, f) // the change comes back as an event
	}
	if err := r.hoist(ctx, f); err != nil {
		return ctrl.Result{}, err
	}
	ships, err := r.build(ctx, f)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.tell(ctx, f, ships)
}

// hoist keeps the flag in a ConfigMap, whoever takes it down.
func (r *reconciler) hoist(ctx context.Context, f *Fleet) error {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: f.Name}}
	_, err := controllerutil.CreateOrUpdate(ctx, r.client, m, func() error {
		m.Data = map[string]string{"flag": f.Spec.Flag}
		return controllerutil.SetControllerReference(f, m, r.client.Scheme())
	})
	if err != nil {
		return fmt.Errorf("hoist flag: %w", err)
	}
	return nil
}

// build keeps as many pods as ships, and returns how many there are.
func (r *reconciler) build(ctx context.Context, f *Fleet) (int32, error) {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: f.Name}}
	what, err := controllerutil.CreateOrUpdate(ctx, r.client, d, func() error {
		labels := map[string]string{"fleet": f.Name}
		d.Spec.Replicas = &f.Spec.Ships
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		d.Spec.Template.Labels = labels
		if len(d.Spec.Template.Spec.Containers) == 0 {
			d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "ship", Image: "ship:1"}}
		}
		return controllerutil.SetControllerReference(f, d, r.client.Scheme())
	})
	if err != nil {
		return 0, fmt.Errorf("build ships: %w", err)
	}
	if what == controllerutil.OperationResultCreated {
		r.events.Eventf(f, d, corev1.EventTypeNormal, "LaidDown", "Build", "the keels of %d ships are laid", f.Spec.Ships)
	}
	return d.Status.Replicas, nil
}

// tell writes the status.
func (r *reconciler) tell(ctx context.Context, f *Fleet, ships int32) error {
	before := f.DeepCopy()
	condition := metav1.Condition{Type: assembled, Status: metav1.ConditionFalse, Reason: "Building", ObservedGeneration: f.Generation,
		Message: fmt.Sprintf("%d of %d ships are there", ships, f.Spec.Ships)}
	if ships == f.Spec.Ships {
		condition.Status, condition.Reason = metav1.ConditionTrue, "Complete"
	}
	changed := meta.SetStatusCondition(&f.Status.Conditions, condition)
	if !changed && f.Status.Ships == ships {
		return nil
	}
	f.Status.Ships = ships
	if err := r.client.Status().Patch(ctx, f, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("tell status: %w", err)
	}
	return nil
}

// end writes a line into the logbook and lets the fleet go.
func (r *reconciler) end(ctx context.Context, f *Fleet) error {
	if !controllerutil.ContainsFinalizer(f, finalizer) {
		return nil
	}
	book := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: "logbook"}}
	_, err := controllerutil.CreateOrUpdate(ctx, r.client, book, func() error {
		if book.Data == nil {
			book.Data = map[string]string{}
		}
		book.Data[f.Name] = fmt.Sprintf("struck the %s flag with %d ships", f.Spec.Flag, f.Status.Ships)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write logbook: %w", err)
	}
	controllerutil.RemoveFinalizer(f, finalizer)
	return r.client.Update(ctx, f)
}
