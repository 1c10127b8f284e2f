package verbs

import (
	"context"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/encode"
)

// deleteWorkers is how many deletions wait for the disk together: the store makes one write of them.
const deleteWorkers = 64

// DeleteCollection deletes what the options pick, each object by itself, and returns what it picked. It is not atomic:
// the first error ends it, and what was deleted stays deleted.
func (v *Verbs) DeleteCollection(ctx context.Context, q Request, opts metav1.DeleteOptions, which *metav1.ListOptions) (*encode.List, error) {
	if errs := validation.ValidateDeleteOptions(&opts); len(errs) > 0 {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", errs)
	}
	if at := *which; at.ResourceVersion != "" && at.ResourceVersion != "0" && at.ResourceVersionMatch == "" && at.Continue == "" && at.Limit >= 0 {
		at.ResourceVersionMatch = metav1.ResourceVersionMatchExact // upstream lists page by page, which means this; below zero is no page
		which = &at
	}
	list, err := v.List(ctx, q, which)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(deleteWorkers, len(list.Items)) {
		workers.Go(func() {
			for i := range next {
				one := q
				one.Namespace, one.Name = list.Items[i].Key.Namespace, list.Items[i].Key.Name
				if _, err := v.Delete(ctx, one, opts); err != nil && !apierrors.IsNotFound(err) {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range list.Items {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return list, nil
}

func (v *Verbs) serveDeleteCollection(w http.ResponseWriter, c *call) error {
	which, err := listOptions(c.query())
	if err != nil {
		return err
	}
	if _, err := parseSelector(c.Version, which.LabelSelector, which.FieldSelector, c.Name); err != nil { // before the options are looked at
		return err
	}
	opts, err := c.deleteOptions()
	if err != nil {
		return err
	}
	warnOfOrphans(&c.Request, &opts)
	warn := c.Warn
	var mu sync.Mutex // the workers warn at the same time
	c.Warn = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		warn(text)
	}
	list, err := v.DeleteCollection(c.raw.Context(), c.Request, opts, which)
	if err != nil {
		return err
	}
	return c.respond(v).List(w, list)
}
