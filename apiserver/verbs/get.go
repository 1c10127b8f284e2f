package verbs

import (
	"context"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/store"
)

// Get returns the stored object that q names, at least as new as rev.
func (v *Verbs) Get(ctx context.Context, q Request, rev store.Revision) (*store.Item, error) {
	if err := v.waitFor(ctx, rev); err != nil {
		return nil, err
	}
	item := v.Store.Snapshot().Get(q.key())
	if item == nil {
		return nil, notFound(&q)
	}
	return item, nil
}

func (v *Verbs) serveGet(w http.ResponseWriter, c *call) error {
	rev := store.Revision(0)
	if c.raw.URL.RawQuery != "" {
		var opts metav1.GetOptions
		query := c.query()
		if err := metav1.Convert_url_Values_To_v1_GetOptions((*url.Values)(&query), &opts, nil); err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
		var err error
		if rev, err = storageRevision(opts.ResourceVersion); err != nil {
			return err
		}
	}
	item, err := v.Get(c.raw.Context(), c.Request, rev)
	if err != nil {
		return err
	}
	return c.respond(v).Item(w, http.StatusOK, c.Version, item)
}
