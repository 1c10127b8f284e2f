package verbs

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/encode"
	"proa/store"
)

// List returns the objects that the options pick, in order of namespace and name.
func (v *Verbs) List(ctx context.Context, q Request, opts *metav1.ListOptions) (*encode.List, error) {
	pick, err := parseSelector(q.Version, opts.LabelSelector, opts.FieldSelector, q.Name)
	if err != nil {
		return nil, err
	}
	snap, after, err := v.listAt(ctx, &q, opts)
	if err != nil {
		return nil, err
	}
	out := &encode.List{Version: q.Version, Revision: snap.Revision()}
	limit := int(opts.Limit)
	if opts.ResourceVersion == "0" {
		limit = 0 // any state will do, and it is here: upstream's cache answers with all of it, too
	}
	v.page(out, snap, &q, pick, after, limit)
	return out, nil
}

// page fills out with up to limit items behind after; 0 means all.
func (v *Verbs) page(out *encode.List, snap store.Snapshot, q *Request, pick *selector, after store.Key, limit int) {
	table := q.Version.Resource.Table()
	if pick.all() && limit == 0 {
		out.Items = make([]*store.Item, 0, snap.Len(table, q.Namespace))
	}
	if pick.name != "" && after == (store.Key{}) && (q.Namespace != "" || !q.Version.Resource.Namespaced) {
		if item := snap.Get(store.Key{Table: table, Namespace: q.Namespace, Name: pick.name}); item != nil && pick.matches(item) {
			out.Items = append(out.Items, item)
		}
		return
	}
	passed := 0
	for item := range snap.List(table, q.Namespace, after) {
		if limit > 0 && len(out.Items) == limit {
			out.Continue = encodeContinue(out.Items[limit-1].Key, q.Version.Resource.Namespaced, q.Namespace, snap.Revision())
			if !pick.all() {
				return
			}
			passed++
			continue
		}
		if pick.matches(item) {
			out.Items = append(out.Items, item)
		}
	}
	if passed > 0 {
		n := int64(passed)
		out.Remaining = &n
	}
}

// listAt finds the state to list, and the last key that an earlier page ended with.
func (v *Verbs) listAt(ctx context.Context, q *Request, opts *metav1.ListOptions) (store.Snapshot, store.Key, error) {
	r := q.Version.Resource
	if opts.Continue != "" {
		after, rev, err := decodeContinue(opts.Continue, r.Table(), r.Namespaced, q.Namespace)
		if err != nil {
			return nil, after, apierrors.NewBadRequest("invalid continue token: " + err.Error())
		}
		if opts.ResourceVersion != "" && opts.ResourceVersion != "0" {
			return nil, after, apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
		}
		if rev < 0 {
			return v.Store.Snapshot(), after, nil
		}
		snap, err := v.Store.SnapshotAt(rev)
		if errors.Is(err, store.ErrCompacted) {
			expired := apierrors.NewResourceExpired(expiredContinue)
			expired.ErrStatus.ListMeta.Continue = encodeContinue(after, r.Namespaced, q.Namespace, -1)
			return nil, after, expired
		}
		return snap, after, translate(err, q)
	}
	rev, err := parseRevision(opts.ResourceVersion)
	if err != nil {
		return nil, store.Key{}, err
	}
	if err := v.waitFor(ctx, rev); err != nil {
		return nil, store.Key{}, err
	}
	exact := opts.ResourceVersionMatch == metav1.ResourceVersionMatchExact || opts.ResourceVersionMatch == "" && opts.Limit > 0
	if rev > 0 && exact {
		snap, err := v.Store.SnapshotAt(rev)
		return snap, store.Key{}, translate(err, q)
	}
	return v.Store.Snapshot(), store.Key{}, nil
}

// listOptions reads the parameters of list, watch and deletecollection.
func listOptions(query url.Values) (*metav1.ListOptions, error) {
	opts := &metav1.ListOptions{}
	if len(query) == 0 {
		return opts, nil
	}
	if err := metav1.Convert_url_Values_To_v1_ListOptions(&query, opts, nil); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if opts.ResourceVersionMatch == "" && opts.SendInitialEvents == nil && !opts.Watch {
		return opts, nil
	}
	if _, err := labels.Parse(opts.LabelSelector); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if _, err := fields.ParseSelector(opts.FieldSelector); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	internal := &internalversion.ListOptions{Watch: opts.Watch, ResourceVersion: opts.ResourceVersion,
		ResourceVersionMatch: opts.ResourceVersionMatch, Continue: opts.Continue, SendInitialEvents: opts.SendInitialEvents}
	internalversion.SetListOptionsDefaults(internal, true)
	opts.SendInitialEvents, opts.ResourceVersionMatch = internal.SendInitialEvents, internal.ResourceVersionMatch
	if errs := validation.ValidateListOptions(internal, true); len(errs) > 0 {
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", errs)
	}
	return opts, nil
}

func (v *Verbs) serveList(w http.ResponseWriter, c *call) error {
	opts, err := listOptions(c.query())
	if err != nil {
		return err
	}
	list, err := v.List(c.raw.Context(), c.Request, opts)
	if err != nil {
		return err
	}
	return c.respond(v).List(w, list)
}
