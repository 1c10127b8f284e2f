package verbs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/admit"
	"proa/kinds/resource"
)

var bindingKind = corev1.SchemeGroupVersion.WithKind("Binding")

// Bind puts a pod on the node that the binding names.
func (v *Verbs) Bind(ctx context.Context, q Request, binding *corev1.Binding, opts metav1.CreateOptions) error {
	if errs := checkBinding(binding); len(errs) > 0 {
		return apierrors.NewInvalid(bindingKind.GroupKind(), binding.Name, errs)
	}
	if binding.Name != "" && binding.Name != q.Name {
		return apierrors.NewBadRequest("name in URL does not match name in Binding object")
	}
	binding = binding.DeepCopy() // admission may change it
	binding.SetGroupVersionKind(bindingKind)
	q = q.withOptions("CreateOptions", &opts)
	q.body = &admit.Body{Operation: admit.Create, Kind: bindingKind, Object: binding}
	_, err := v.change(ctx, q, change{
		apply: func(old resource.Object) (resource.Object, error) {
			pod, ok := old.(*corev1.Pod)
			if !ok {
				return nil, fmt.Errorf("bind %s: %T is no pod", q.Name, old)
			}
			if err := mayBind(&q, pod, binding, isDryRun(opts.DryRun)); err != nil {
				return nil, err
			}
			return bound(pod, binding, v.Clock.Now()), nil
		},
		take: func(obj, old resource.Object) error {
			pod, next := obj.(*corev1.Pod), bound(old.(*corev1.Pod), binding, v.Clock.Now())
			pod.Spec.NodeName, pod.Annotations, pod.Labels = next.Spec.NodeName, next.Annotations, next.Labels
			return nil
		},
		door:    &resource.Subresource{Name: "binding"},
		applied: true, // as in upstream, nobody owns what a binding sets
		dryRun:  isDryRun(opts.DryRun),
	})
	return err
}

func checkBinding(b *corev1.Binding) field.ErrorList {
	var errs field.ErrorList
	if b.Target.Kind != "" && b.Target.Kind != "Node" {
		errs = append(errs, field.NotSupported(field.NewPath("target", "kind"), b.Target.Kind, []string{"Node", "<empty>"}))
	}
	if b.Target.Name == "" {
		errs = append(errs, field.Required(field.NewPath("target", "name"), ""))
	}
	return errs
}

func mayBind(q *Request, pod *corev1.Pod, b *corev1.Binding, dryRun bool) error {
	conflict := func(text string, args ...any) error {
		return apierrors.NewConflict(schema.GroupResource{Resource: "pods/binding"}, q.Name, fmt.Errorf(text, args...))
	}
	switch {
	case b.UID != "" && b.UID != pod.UID:
		return uidMismatch(q, b.UID, pod.UID, dryRun)
	case b.ResourceVersion != "" && b.ResourceVersion != pod.ResourceVersion:
		return apierrors.NewConflict(q.groupResource(), q.Name, errors.New(modified))
	case pod.DeletionTimestamp != nil:
		return conflict("pod %s is being deleted, cannot be assigned to a host", pod.Name)
	case pod.Spec.NodeName != "":
		return conflict("pod %v is already assigned to node %q", pod.Name, pod.Spec.NodeName)
	case len(pod.Spec.SchedulingGates) != 0:
		return conflict("pod %v has non-empty .spec.schedulingGates", pod.Name)
	}
	return nil
}

func bound(old *corev1.Pod, b *corev1.Binding, now time.Time) *corev1.Pod {
	pod := old.DeepCopy()
	pod.Spec.NodeName, pod.Status.NominatedNodeName = b.Target.Name, "" // KEP-5278
	for k, val := range b.Annotations {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, k, val)
	}
	for k, val := range b.Labels {
		metav1.SetMetaDataLabel(&pod.ObjectMeta, k, val)
	}
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type == corev1.PodScheduled {
			if c.Status != corev1.ConditionTrue {
				c.LastTransitionTime = metav1.NewTime(now).Rfc3339Copy()
			}
			c.Status, c.Reason, c.Message = corev1.ConditionTrue, "", ""
			return pod
		}
	}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled,
		Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now).Rfc3339Copy()})
	return pod
}

func (v *Verbs) serveBinding(w http.ResponseWriter, c *call) error {
	opts, err := c.createOptions()
	if err != nil {
		return err
	}
	binding := &corev1.Binding{}
	if err := c.body(bindingKind, binding, opts.FieldValidation); err != nil {
		return err
	}
	if binding.Name != c.Name {
		return apierrors.NewBadRequest("name in URL does not match name in Binding object")
	}
	if err := v.Bind(c.raw.Context(), c.Request, binding, opts); err != nil {
		return err
	}
	return c.respondStatus(v, w, http.StatusCreated, nil)
}
