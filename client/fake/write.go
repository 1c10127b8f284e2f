package fake

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"proa/client"
)

func (a *API) notFound(ref client.Ref) error {
	return apierrors.NewNotFound(a.kinds.ByTable(ref.Table).GroupResource(), ref.Name)
}

func (a *API) getLocked(ref client.Ref) client.Object {
	return (&view{tables: a.mu.tables}).Get(ref)
}

func (a *API) createLocked(ref *client.Ref, obj client.Object) (client.Object, string, error) {
	row := a.kinds.ByTable(ref.Table)
	if obj.GetName() == "" && obj.GetGenerateName() != "" {
		a.mu.names++
		obj.SetName(fmt.Sprintf("%s%05d", obj.GetGenerateName(), a.mu.names))
	}
	if obj.GetNamespace() == "" && row.Namespaced {
		obj.SetNamespace(ref.Namespace)
	}
	ref.Namespace, ref.Name = obj.GetNamespace(), obj.GetName()
	if a.getLocked(*ref) != nil {
		return nil, "", apierrors.NewAlreadyExists(row.GroupResource(), obj.GetName())
	}
	if row.Default != nil {
		row.Default(obj)
	}
	obj.SetUID(types.UID(fmt.Sprintf("uid-%d", a.mu.uids+1))) // a kind's labels may hold it; one that is refused takes none
	obj.SetCreationTimestamp(metav1.NewTime(a.now()))
	if row.PrepareCreate != nil {
		row.PrepareCreate(obj)
	} else if row.Status != nil {
		zero(obj, "Status")
	}
	if row.Validate != nil {
		if errs := row.Validate(obj); len(errs) > 0 {
			return nil, "", apierrors.NewInvalid(row.GroupVersionKind().GroupKind(), obj.GetName(), errs)
		}
	}
	a.mu.uids++
	obj.SetDeletionTimestamp(nil)
	detail := diff(nil, obj)
	a.storeLocked(*ref, obj, nil)
	return obj, detail, nil
}

func (a *API) storeLocked(ref client.Ref, obj, old client.Object) {
	a.mu.revision++
	if obj != nil {
		obj.SetResourceVersion(strconv.FormatInt(a.mu.revision, 10))
	}
	a.publishLocked(ref.Table, objectKey{ref.Namespace, ref.Name}, obj, old)
}

// createSubLocked knows the subresources that controllers create.
func (a *API) createSubLocked(ref client.Ref, sub string, body client.Object) (client.Object, string, error) {
	switch sub {
	case "eviction":
		obj, detail, err := a.deleteLocked(ref, metav1.DeleteOptions{})
		return obj, detail, err
	case "binding":
		pod, ok := a.getLocked(ref).(*corev1.Pod)
		if !ok {
			return nil, "", a.notFound(ref)
		}
		next := pod.DeepCopy()
		next.Spec.NodeName = body.(*corev1.Binding).Target.Name
		a.storeLocked(ref, next, pod)
		return next, diff(pod, next), nil
	}
	return nil, "", apierrors.NewBadRequest("the fake knows no subresource " + sub)
}

func (a *API) updateLocked(ref client.Ref, sub string, obj client.Object) (client.Object, string, error) {
	if scale, ok := obj.(*autoscalingv1.Scale); ok && sub == "scale" {
		row, old := a.kinds.ByTable(ref.Table), a.getLocked(ref)
		if old == nil || row.Scale == nil {
			return nil, "", apierrors.NewNotFound(row.GroupResource(), ref.Name)
		}
		obj, sub = old.DeepCopyObject().(client.Object), ""
		row.Scale.Set(obj, scale.Spec.Replicas)
	}
	old := a.getLocked(ref)
	if old == nil {
		return nil, "", a.notFound(ref)
	}
	row := a.kinds.ByTable(ref.Table)
	if v := obj.GetResourceVersion(); v != "" && v != old.GetResourceVersion() {
		return nil, "", apierrors.NewConflict(row.GroupResource(), ref.Name,
			fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
	}
	if uid := obj.GetUID(); uid != "" && uid != old.GetUID() {
		return nil, "", apierrors.NewConflict(row.GroupResource(), ref.Name,
			fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", uid, old.GetUID()))
	}
	if err := a.narrow(ref.Table, sub, obj, old); err != nil {
		return nil, "", err
	}
	if equality.Semantic.DeepEqual(obj, old) {
		return old, "unchanged", nil
	}
	detail := diff(old, obj)
	if gone(obj) {
		a.storeLocked(ref, nil, old)
		return obj, detail + " removed", nil
	}
	a.storeLocked(ref, obj, old)
	return obj, detail, nil
}

// narrow puts back what a write through this door may not change, and checks the rest. The kind's row counts generations.
func (a *API) narrow(table, sub string, obj, old client.Object) error {
	row := a.kinds.ByTable(table)
	obj.SetUID(old.GetUID())
	obj.SetCreationTimestamp(old.GetCreationTimestamp())
	obj.SetDeletionTimestamp(old.GetDeletionTimestamp())
	obj.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	obj.SetResourceVersion(old.GetResourceVersion())
	obj.SetGeneration(old.GetGeneration())
	var errs field.ErrorList
	switch {
	case sub == "":
		if row.Default != nil {
			row.Default(obj)
		}
		prepare(row.PrepareUpdate, obj, old)
		if row.Status != nil {
			copyField(obj, old, "Status")
		}
		if row.ValidateUpdate != nil {
			errs = row.ValidateUpdate(obj, old)
		}
	case sub == "status" && row.Status != nil:
		prepare(row.Status.PrepareUpdate, obj, old)
		copyField(obj, old, "Spec")
	case sub == "finalize":
		copyField(obj, old, "Status")
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(row.GroupVersionKind().GroupKind(), obj.GetName(), errs)
	}
	return nil
}

func prepare(rule func(obj, old client.Object), obj, old client.Object) {
	if rule != nil {
		rule(obj, old)
	}
}

// gone says whether nothing holds an object that is being deleted any more.
func gone(obj client.Object) bool {
	if obj.GetDeletionTimestamp() == nil || len(obj.GetFinalizers()) > 0 {
		return false
	}
	if namespace, ok := obj.(*corev1.Namespace); ok {
		return len(namespace.Spec.Finalizers) == 0
	}
	grace := obj.GetDeletionGracePeriodSeconds()
	return grace == nil || *grace == 0
}

func (a *API) patchLocked(ref client.Ref, sub string, kind types.PatchType, patch []byte) (client.Object, string, error) {
	old := a.getLocked(ref)
	if old == nil {
		return nil, "", a.notFound(ref)
	}
	before, err := json.Marshal(old)
	if err != nil {
		return nil, "", err
	}
	after, err := patched(kind, before, patch, old)
	if err != nil {
		return nil, "", apierrors.NewBadRequest(err.Error())
	}
	obj := a.kinds.ByTable(ref.Table).New()
	if err := json.Unmarshal(after, obj); err != nil {
		return nil, "", apierrors.NewBadRequest(err.Error())
	}
	if uid := obj.GetUID(); uid != old.GetUID() {
		row := a.kinds.ByTable(ref.Table)
		return nil, "", apierrors.NewInvalid(row.GroupVersionKind().GroupKind(), ref.Name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "uid"), uid, "field is immutable"),
		})
	}
	return a.updateLocked(ref, sub, obj)
}

func patched(kind types.PatchType, before, patch []byte, schema any) ([]byte, error) {
	switch kind {
	case types.JSONPatchType:
		p, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, err
		}
		return p.Apply(before)
	case types.MergePatchType:
		return jsonpatch.MergePatch(before, patch)
	case types.StrategicMergePatchType:
		return strategicpatch.StrategicMergePatch(before, patch, schema)
	}
	return nil, fmt.Errorf("the fake knows no patch of type %s", kind)
}

func (a *API) deleteLocked(ref client.Ref, opts metav1.DeleteOptions) (client.Object, string, error) {
	old := a.getLocked(ref)
	if old == nil {
		return nil, "", a.notFound(ref)
	}
	detail := deleteDetail(opts)
	if p := opts.Preconditions; p != nil {
		row := a.kinds.ByTable(ref.Table)
		if p.UID != nil && *p.UID != old.GetUID() {
			return nil, detail, apierrors.NewConflict(row.GroupResource(), ref.Name, fmt.Errorf(
				"Precondition failed: UID in precondition: %v, UID in object meta: %v", *p.UID, old.GetUID()))
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion() {
			return nil, detail, apierrors.NewConflict(row.GroupResource(), ref.Name, fmt.Errorf(
				"Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v",
				*p.ResourceVersion, old.GetResourceVersion()))
		}
	}
	obj := old.DeepCopyObject().(client.Object)
	propagate(obj, opts.PropagationPolicy)
	grace := graceOf(obj, opts)
	if obj.GetDeletionTimestamp() == nil {
		if obj.GetGeneration() > 0 {
			obj.SetGeneration(obj.GetGeneration() + 1)
		}
		at := metav1.NewTime(a.now().Add(time.Duration(grace) * time.Second))
		obj.SetDeletionTimestamp(&at)
	}
	if held := obj.GetDeletionGracePeriodSeconds(); held == nil || *held > grace {
		obj.SetDeletionGracePeriodSeconds(&grace)
	}
	if namespace, ok := obj.(*corev1.Namespace); ok {
		namespace.Status.Phase = corev1.NamespaceTerminating
	}
	if gone(obj) {
		a.storeLocked(ref, nil, old)
		return obj, detail, nil
	}
	if equality.Semantic.DeepEqual(obj, old) {
		return old, detail, nil
	}
	a.storeLocked(ref, obj, old)
	return obj, detail, nil
}

// propagate notes the propagation policy as the finalizer that the garbage collector acts on.
func propagate(obj client.Object, policy *metav1.DeletionPropagation) {
	if policy == nil || obj.GetDeletionTimestamp() != nil {
		return
	}
	finalizers := slices.DeleteFunc(slices.Clone(obj.GetFinalizers()), func(f string) bool {
		return f == metav1.FinalizerOrphanDependents || f == metav1.FinalizerDeleteDependents
	})
	switch *policy {
	case metav1.DeletePropagationOrphan:
		finalizers = append(finalizers, metav1.FinalizerOrphanDependents)
	case metav1.DeletePropagationForeground:
		finalizers = append(finalizers, metav1.FinalizerDeleteDependents)
	}
	obj.SetFinalizers(finalizers)
}

// graceOf is how long a deletion waits: only pods on a node that have not ended have a node agent to wait for.
func graceOf(obj client.Object, opts metav1.DeleteOptions) int64 {
	pod, ok := obj.(*corev1.Pod)
	switch {
	case !ok || pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		return 0
	case opts.GracePeriodSeconds != nil:
		return *opts.GracePeriodSeconds
	case pod.Spec.TerminationGracePeriodSeconds != nil:
		return *pod.Spec.TerminationGracePeriodSeconds
	}
	return 30
}

func copyField(obj, from client.Object, name string) {
	if v := reflect.ValueOf(obj).Elem().FieldByName(name); v.IsValid() {
		v.Set(reflect.ValueOf(from.DeepCopyObject()).Elem().FieldByName(name))
	}
}

func zero(obj client.Object, name string) {
	if v := reflect.ValueOf(obj).Elem().FieldByName(name); v.IsValid() {
		v.SetZero()
	}
}

// Put stores an object as it is, status and all, past every rule but defaulting, and without a note in the log: how a test
// lays out what it starts from. An object that is there is replaced and keeps its UID unless obj has one.
func (a *API) Put(obj client.Object) client.Object {
	a.mu.Lock()
	defer a.mu.Unlock()
	row := a.kinds.Of(obj)
	obj = obj.DeepCopyObject().(client.Object)
	if row.Default != nil {
		row.Default(obj)
	}
	ref := client.RefOf(row.Table(), obj)
	old := a.getLocked(ref)
	switch {
	case obj.GetUID() != "":
	case old != nil:
		obj.SetUID(old.GetUID())
	default:
		a.mu.uids++
		obj.SetUID(types.UID(fmt.Sprintf("uid-%d", a.mu.uids)))
	}
	if obj.GetGeneration() == 0 && row.Status != nil {
		obj.SetGeneration(1)
	}
	if at := obj.GetCreationTimestamp(); at.IsZero() {
		obj.SetCreationTimestamp(metav1.NewTime(a.now()))
	}
	a.storeLocked(ref, obj, old)
	return obj
}
