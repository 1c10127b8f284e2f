package verbs

import (
	"context"
	"net/http"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var evictionKind = policyv1.SchemeGroupVersion.WithKind("Eviction")

// Evict deletes a pod on behalf of who drains its node. Nothing protects pods from eviction yet, so it is a delete.
func (v *Verbs) Evict(ctx context.Context, q Request, eviction *policyv1.Eviction, dryRun []string) error {
	if eviction.Name != "" && eviction.Name != q.Name {
		return apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	opts := metav1.DeleteOptions{}
	if eviction.DeleteOptions != nil {
		opts = *eviction.DeleteOptions
	}
	if len(dryRun) > 0 {
		opts.DryRun = dryRun
	}
	_, err := v.Delete(ctx, q, opts)
	return err
}

func (v *Verbs) serveEviction(w http.ResponseWriter, c *call) error {
	opts, err := c.createOptions()
	if err != nil {
		return err
	}
	eviction := &policyv1.Eviction{}
	if err := c.body(evictionKind, eviction, opts.FieldValidation); err != nil {
		return err
	}
	if err := v.Evict(c.raw.Context(), c.Request, eviction, opts.DryRun); err != nil {
		return err
	}
	return c.respondStatus(v, w, http.StatusCreated, nil)
}
