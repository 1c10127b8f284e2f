package verbs

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// Delete removes the stored object, or starts its deletion when finalizers or a grace period hold it.
func (v *Verbs) Delete(ctx context.Context, q Request, opts metav1.DeleteOptions) (Result, error) {
	if errs := validation.ValidateDeleteOptions(&opts); len(errs) > 0 {
		return Result{}, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", errs)
	}
	q = q.withOptions("DeleteOptions", opts.DeepCopy())
	for {
		result, err := v.deleteOnce(ctx, q, opts)
		if err == nil || !lostRace(err) {
			return result, err
		}
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
	}
}

// warnOfOrphans tells those who delete what, by its age, leaves its dependents behind, and did not say that they want that.
func warnOfOrphans(q *Request, opts *metav1.DeleteOptions) {
	text := q.Version.Resource.OrphanWarning
	if text != "" && len(validation.ValidateDeleteOptions(opts)) == 0 && opts.PropagationPolicy == nil && opts.OrphanDependents == nil { //nolint:staticcheck // old clients send it
		q.warn(text)
	}
}

func (v *Verbs) deleteOnce(ctx context.Context, q Request, opts metav1.DeleteOptions) (Result, error) {
	snap := v.Store.Snapshot()
	item := snap.Get(q.key())
	if item == nil {
		return Result{}, notFound(&q)
	}
	old, err := q.Version.Ruled(item)
	if err != nil { // what cannot be decoded can still be removed
		return v.remove(ctx, &q, item, nil, nil, isDryRun(opts.DryRun))
	}
	if err := deletePreconditions(&q, &opts, old); err != nil {
		return Result{}, err
	}
	dryRun := isDryRun(opts.DryRun)
	a := v.attributes(&q, admit.Delete, nil, old, snap, dryRun)
	if err := v.admit(ctx, &q, a); err != nil {
		return Result{}, err
	}
	if err := v.validate(ctx, &q, a); err != nil {
		return Result{}, err
	}
	plan := planDeletion(q.Version.Resource, old, opts, v.Clock.Now())
	switch {
	case plan.pending:
		return Result{Item: item}, nil
	case plan.keep != nil:
		return v.put(ctx, &q, plan.keep, item, nil, dryRun)
	}
	claims, err := v.Admission.Claim(ctx, a)
	if err != nil {
		return Result{}, err
	}
	return v.remove(ctx, &q, item, plan.last, claims, dryRun)
}

// wordsOfOwn are the tables whose deletion has a precondition's words of its own in upstream.
var wordsOfOwn = map[string]bool{"namespaces": true, "customresourcedefinitions.apiextensions.k8s.io": true}

func deletePreconditions(q *Request, opts *metav1.DeleteOptions, old resource.Object) error {
	p := opts.Preconditions
	if p == nil {
		return nil
	}
	gr := schema.GroupResource{Group: q.Version.Resource.Group, Resource: q.Version.Kind.Kind}
	wrong := "the %[1]s in the precondition (%[2]s) does not match the %[1]s in record (%[3]s). The object might have been %[4]s"
	if wordsOfOwn[q.Version.Resource.Table()] {
		gr, wrong = q.groupResource(), "Precondition failed: %[1]s in precondition: %[2]s, %[1]s in object meta: %[3]s"
	}
	if p.UID != nil && *p.UID != old.GetUID() {
		return apierrors.NewConflict(gr, q.Name, fmt.Errorf(wrong, "UID", *p.UID, old.GetUID(), "deleted and then recreated"))
	}
	if p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion() {
		return apierrors.NewConflict(gr, q.Name, fmt.Errorf(wrong, "ResourceVersion", *p.ResourceVersion, old.GetResourceVersion(), "modified"))
	}
	return nil
}

// deleteOptions reads the options of delete and deletecollection, which may be in the body or in the query.
func (c *call) deleteOptions() (metav1.DeleteOptions, error) {
	var opts metav1.DeleteOptions
	body, err := encode.ReadBody(c.raw)
	if err != nil {
		return opts, err
	}
	if len(body) > 0 {
		format, err := encode.ContentType(c.raw)
		if err != nil {
			return opts, err
		}
		return opts, encode.DecodeOptions(body, format, &opts)
	}
	if query := c.query(); len(query) > 0 {
		if err := metav1.Convert_url_Values_To_v1_DeleteOptions((*url.Values)(&query), &opts, nil); err != nil {
			return opts, apierrors.NewBadRequest(err.Error())
		}
	}
	return opts, nil
}

// returnsDeleted lists the tables whose objects are answered by delete, as upstream's; others answer a Status.
var returnsDeleted = map[string]bool{"pods": true, "services": true, "serviceaccounts": true, "persistentvolumes": true,
	"persistentvolumeclaims": true, "podtemplates": true, "resourcequotas": true,
	"deviceclasses.resource.k8s.io": true, "resourceclaims.resource.k8s.io": true, "resourceclaimtemplates.resource.k8s.io": true,
	"resourceslices.resource.k8s.io": true, "csidrivers.storage.k8s.io": true, "csinodes.storage.k8s.io": true, "storageclasses.storage.k8s.io": true,
	"volumeattachments.storage.k8s.io": true, "volumeattributesclasses.storage.k8s.io": true}

func (v *Verbs) serveDelete(w http.ResponseWriter, c *call) error {
	opts, err := c.deleteOptions()
	if err != nil {
		return err
	}
	warnOfOrphans(&c.Request, &opts)
	result, err := v.Delete(c.raw.Context(), c.Request, opts)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if !result.Deleted && opts.OrphanDependents != nil && !*opts.OrphanDependents { //nolint:staticcheck // old clients send it
		code = http.StatusAccepted
	}
	if !result.Deleted || returnsDeleted[c.Version.Resource.Table()] {
		return c.answer(v, w, code, result)
	}
	details := &metav1.StatusDetails{Name: c.Name, Group: c.Version.Kind.Group, Kind: c.Version.Resource.Name}
	if obj, err := result.Stored(); err == nil {
		details.UID = obj.GetUID()
	}
	return c.respondStatus(v, w, code, details)
}

// respondStatus answers with a Status of success.
func (c *call) respondStatus(v *Verbs, w http.ResponseWriter, code int, details *metav1.StatusDetails) error {
	p := c.respond(v)
	p.Accept.Shape = encode.Whole
	status := &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess, Details: details}
	if code == http.StatusCreated {
		status.Code = http.StatusCreated // upstream's answers to deletions carry none
	}
	return p.Body(w, code, status)
}
