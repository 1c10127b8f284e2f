package verbs

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/apiserver/patch"
	"proa/kinds/meta"
	"proa/kinds/resource"
)

var scaleKind = autoscalingv1.SchemeGroupVersion.WithKind("Scale")

// scaleTable is what tables show of a Scale.
var scaleTable = &resource.Resource{
	Columns: []resource.Column{
		{Name: "Name", Type: "string", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]},
		meta.Number("Desired", autoscalingv1.ScaleSpec{}.SwaggerDoc()["replicas"]),
		meta.Number("Available", autoscalingv1.ScaleStatus{}.SwaggerDoc()["replicas"]),
		meta.Age(),
	},
	Row: func(obj resource.Object) []any {
		s := obj.(*autoscalingv1.Scale)
		return []any{s.Name, int64(s.Spec.Replicas), int64(s.Status.Replicas), meta.Since(s.CreationTimestamp)}
	},
}

// scaleOf shows an object as a Scale.
func scaleOf(r *resource.Resource, obj resource.Object) *autoscalingv1.Scale {
	replicas, status, selector := r.Scale.Get(obj)
	s := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: obj.GetName(), Namespace: obj.GetNamespace(), UID: obj.GetUID(),
			ResourceVersion: obj.GetResourceVersion(), CreationTimestamp: obj.GetCreationTimestamp()},
		Spec:   autoscalingv1.ScaleSpec{Replicas: replicas},
		Status: autoscalingv1.ScaleStatus{Replicas: status, Selector: selector},
	}
	s.SetGroupVersionKind(scaleKind)
	return s
}

// Rescale sets the replicas of an object. make returns the Scale that is wanted, given the one that is.
func (v *Verbs) Rescale(ctx context.Context, q Request, manager string, dryRun bool, make func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error)) (*autoscalingv1.Scale, error) {
	return v.rescale(ctx, q, rescaling{manager: manager, dryRun: dryRun, make: func(_ resource.Object, was *autoscalingv1.Scale) (*autoscalingv1.Scale, []metav1.ManagedFieldsEntry, error) {
		want, err := make(was)
		return want, nil, err
	}})
}

// rescaling is one way to set replicas.
type rescaling struct {
	manager string
	dryRun  bool
	// make returns the Scale that is wanted, and, if applied, who owns which fields of the object then.
	make    func(obj resource.Object, was *autoscalingv1.Scale) (*autoscalingv1.Scale, []metav1.ManagedFieldsEntry, error)
	applied bool
}

func (v *Verbs) rescale(ctx context.Context, q Request, way rescaling) (*autoscalingv1.Scale, error) {
	r, manager, dryRun := q.Version.Resource, way.manager, way.dryRun
	q = q.withOptions("UpdateOptions", &metav1.UpdateOptions{FieldManager: manager})
	q.body = &admit.Body{Operation: admit.Update, Kind: scaleKind}
	result, err := v.change(ctx, q, change{
		apply: func(old resource.Object) (resource.Object, error) {
			was := scaleOf(r, old)
			want, owners, err := way.make(old, was)
			if err != nil {
				return nil, err
			}
			if err := checkScale(&q, want, old, dryRun); err != nil {
				return nil, err
			}
			want.SetGroupVersionKind(scaleKind)
			q.body.Object, q.body.Old = want, was
			obj := copyOf(old)
			r.Scale.Set(obj, want.Spec.Replicas)
			if way.applied {
				obj.SetManagedFields(owners)
			}
			if want.ResourceVersion != "" {
				obj.SetResourceVersion(want.ResourceVersion)
			}
			return obj, nil
		},
		take: func(obj, old resource.Object) error {
			replicas := q.body.Object.(*autoscalingv1.Scale).Spec.Replicas
			keepScaleTimes(obj, old)
			if replicas == 0 && !way.applied {
				disownScale(obj)
			}
			r.Scale.Set(obj, replicas)
			return nil
		},
		applied: way.applied,
		manager: q.manager(manager),
		dryRun:  dryRun,
	})
	if err != nil {
		return nil, err
	}
	obj, err := result.ruled(q.Version)
	if err != nil {
		return nil, err
	}
	return scaleOf(r, obj), nil
}

// disownScale leaves nobody who owns replicas through a Scale: one that wants none leaves the field out, and so owns nothing.
func disownScale(obj resource.Object) {
	obj.SetManagedFields(slices.DeleteFunc(obj.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Subresource == "scale" }))
}

// keepScaleTimes leaves entries of scale without the time at which they were made: upstream loses it, where it turns the
// owners of a Scale's fields into those of its object.
func keepScaleTimes(obj, old resource.Object) {
	entries := obj.GetManagedFields()
	for i := range entries {
		if entries[i].Subresource != "scale" {
			continue
		}
		entries[i].Time = nil
		for _, was := range old.GetManagedFields() {
			if was.Subresource == "scale" && was.Manager == entries[i].Manager && was.Operation == entries[i].Operation && was.APIVersion == entries[i].APIVersion {
				entries[i].Time = was.Time
			}
		}
	}
	seconds := func(e metav1.ManagedFieldsEntry) int64 {
		if e.Time == nil {
			return 0
		}
		return e.Time.Unix()
	}
	slices.SortStableFunc(entries, func(a, b metav1.ManagedFieldsEntry) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(seconds(a), seconds(b)))
	})
	obj.SetManagedFields(entries)
}

func checkScale(q *Request, want *autoscalingv1.Scale, old resource.Object, dryRun bool) error {
	if err := matchNamespace(q, want); err != nil {
		return err
	}
	if err := checkName(q, want); err != nil {
		return err
	}
	if want.UID != "" && want.UID != old.GetUID() {
		return uidMismatch(q, want.UID, old.GetUID(), dryRun)
	}
	if want.Spec.Replicas < 0 {
		return apierrors.NewInvalid(scaleKind.GroupKind(), want.Name, field.ErrorList{
			field.Invalid(field.NewPath("spec", "replicas"), want.Spec.Replicas, validation.IsNegativeErrorMsg).WithOrigin("minimum")})
	}
	return nil
}

func (v *Verbs) serveGetScale(w http.ResponseWriter, c *call) error {
	item, err := v.Get(c.raw.Context(), c.Request, 0)
	if err != nil {
		return err
	}
	obj, err := c.Version.Ruled(item)
	if err != nil {
		return err
	}
	if check := c.Version.Resource.Scale.Check; check != nil {
		if err := check(obj); err != nil {
			return err
		}
	}
	return c.respond(v).Part(w, http.StatusOK, c.Version, scaleTable, scaleOf(c.Version.Resource, obj))
}

func (v *Verbs) serveUpdateScale(w http.ResponseWriter, c *call) error {
	var opts metav1.UpdateOptions
	query := c.query()
	if err := metav1.Convert_url_Values_To_v1_UpdateOptions((*url.Values)(&query), &opts, nil); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if errs := metavalidation.ValidateUpdateOptions(&opts); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "UpdateOptions"}, "", errs)
	}
	want := &autoscalingv1.Scale{}
	if err := c.body(scaleKind, want, opts.FieldValidation); err != nil {
		return err
	}
	if err := c.matchNamespace(want); err != nil {
		return err
	}
	if err := checkName(&c.Request, want); err != nil {
		return err
	}
	s, err := v.Rescale(c.raw.Context(), c.Request, opts.FieldManager, isDryRun(opts.DryRun),
		func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error) { return want, nil })
	if err != nil {
		return err
	}
	return c.respond(v).Part(w, http.StatusOK, c.Version, scaleTable, s)
}

func (v *Verbs) servePatchScale(w http.ResponseWriter, c *call) error {
	kind, err := c.patchType()
	if err != nil {
		return err
	}
	var opts metav1.PatchOptions
	query := c.query()
	if err := metav1.Convert_url_Values_To_v1_PatchOptions((*url.Values)(&query), &opts, nil); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if errs := metavalidation.ValidatePatchOptions(&opts, kind); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "PatchOptions"}, "", errs)
	}
	body, err := encode.ReadBody(c.raw)
	if err != nil {
		return err
	}
	p := patch.Patch{Kind: kind, Body: body, Version: c.Version, Validation: opts.FieldValidation,
		Manager: c.manager(opts.FieldManager), Force: opts.Force != nil && *opts.Force, Name: c.Name, Warn: c.warnOnce()}
	way := rescaling{manager: opts.FieldManager, dryRun: isDryRun(opts.DryRun), applied: kind == types.ApplyPatchType}
	way.make = func(old resource.Object, was *autoscalingv1.Scale) (*autoscalingv1.Scale, []metav1.ManagedFieldsEntry, error) {
		if way.applied {
			return v.Fields.ApplyScale(&p, old, was, v.Clock.Now())
		}
		want, err := patch.PatchScale(&p, was)
		return want, nil, err
	}
	s, err := v.rescale(c.raw.Context(), c.Request, way)
	if err != nil {
		return err
	}
	return c.respond(v).Part(w, http.StatusOK, c.Version, scaleTable, s)
}
