package verbs

import (
	"context"
	"mime"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/apiserver/patch"
	"proa/kinds/resource"
)

// Patch changes the stored object by a patch; an apply patch also creates it.
func (v *Verbs) Patch(ctx context.Context, q Request, kind types.PatchType, body []byte, opts metav1.PatchOptions) (Result, error) {
	if errs := validation.ValidatePatchOptions(&opts, kind); len(errs) > 0 {
		return Result{}, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "PatchOptions"}, "", errs)
	}
	q = q.withOptions("UpdateOptions", &metav1.UpdateOptions{DryRun: opts.DryRun, FieldManager: opts.FieldManager, FieldValidation: opts.FieldValidation})
	door, err := doorOf(&q)
	if err != nil {
		return Result{}, err
	}
	p := patch.Patch{
		Kind: kind, Body: body, Version: q.Version, Validation: opts.FieldValidation,
		Manager: q.manager(opts.FieldManager), Force: opts.Force != nil && *opts.Force, Subresource: q.Subresource, Name: q.Name, Warn: q.warnOnce(),
	}
	return v.change(ctx, q, change{
		apply: func(old resource.Object) (resource.Object, error) {
			if old == nil && kind != types.ApplyPatchType {
				return nil, notFound(&q)
			}
			obj, err := v.Fields.Apply(&p, old, v.Clock.Now())
			if err != nil {
				return nil, err
			}
			// What is applied to a custom object has its defaults by now, unless it changes nothing.
			if q.Version.Resource.Custom == nil || kind != types.ApplyPatchType {
				v.fill(q.Version.Resource, obj)
			}
			return obj, nil
		},
		create:  kind == types.ApplyPatchType && door == nil,
		applied: kind == types.ApplyPatchType,
		door:    door,
		manager: p.Manager,
		dryRun:  isDryRun(opts.DryRun),
	})
}

// warnOnce warns of each text once: patches are tried again, and nobody wants to hear it twice.
func (q *Request) warnOnce() func(string) {
	warned := map[string]bool{}
	return func(text string) {
		if !warned[text] {
			warned[text] = true
			q.warn(text)
		}
	}
}

// createApplied stores an object that an apply patch made out of nothing, with its ownership of fields.
func (v *Verbs) createApplied(ctx context.Context, q Request, obj resource.Object, dryRun bool) (Result, error) {
	if c := q.Version.Resource.Custom; c != nil && c.Terminating {
		return Result{}, terminating(&q, q.Name)
	}
	snap := v.Store.Snapshot()
	dedupOwners(&q, obj)
	if q.Version.Resource.Table() == "namespaces" {
		q.Namespace = q.Name
	}
	a := v.attributes(&q, admit.Create, obj, nil, snap, dryRun)
	if err := v.admit(ctx, &q, a); err != nil {
		return Result{}, err
	}
	dedupOwners(&q, obj)
	v.fillSystemFields(q.Version.Resource, obj)
	if err := v.validateCreate(ctx, &q, obj); err != nil {
		return Result{}, err
	}
	claims, err := v.Admission.Claim(ctx, a)
	if err != nil {
		return Result{}, err
	}
	if err := v.validate(ctx, &q, a); err != nil {
		return Result{}, err
	}
	return v.put(ctx, &q, obj, nil, claims, dryRun)
}

var patchTypes = []types.PatchType{types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType, types.ApplyYAMLPatchType}

var customPatchTypes = []types.PatchType{types.JSONPatchType, types.MergePatchType, types.ApplyYAMLPatchType}

func (v *Verbs) servePatch(w http.ResponseWriter, c *call) error {
	kind, err := c.patchType()
	if err != nil {
		return err
	}
	var opts metav1.PatchOptions
	if query := c.query(); len(query) > 0 {
		if err := metav1.Convert_url_Values_To_v1_PatchOptions((*url.Values)(&query), &opts, nil); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
	}
	body, err := encode.ReadBody(c.raw)
	if err != nil {
		return err
	}
	result, err := v.Patch(c.raw.Context(), c.Request, kind, body, opts)
	if err != nil {
		return err
	}
	return c.answer(v, w, codeOf(result), result)
}

// patchType reads which of the API's four forms the body has. Custom kinds have no Go type, whose tags a strategic merge
// goes by.
func (c *call) patchType() (types.PatchType, error) {
	allowed := patchTypes
	custom := c.Version.Resource.Custom != nil
	if custom {
		allowed = customPatchTypes
	}
	name, _, err := mime.ParseMediaType(c.raw.Header.Get("Content-Type"))
	if err == nil {
		for _, t := range allowed {
			if string(t) == name {
				return t, nil
			}
		}
	}
	if custom {
		return "", encode.UnsupportedPatch(allowed)
	}
	return "", Wordless(http.StatusUnsupportedMediaType, "415: Unsupported Media Type")
}
