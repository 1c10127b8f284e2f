package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/apiserver/verbs"
	"proa/client"
	"proa/kinds/resource"
	"proa/store"
)

// Local is the API for callers in the same process: a client.Client that acts as one user. Writes pass the same
// authorization, admission, validation and audit as requests from outside; nothing is encoded but what the store keeps.
// Views are the store's snapshots. Reads through a View are not authorized: who holds a Local is part of the server.
type Local struct {
	server  *Server
	user    auth.User
	manager string
}

var _ client.Client = (*Local)(nil)

// Local acts as user. The API server itself is named in managedFields as upstream's is, by which people tell its writes.
func (s *Server) Local(user auth.User) *Local {
	name := user.Name[strings.LastIndexByte(user.Name, ':')+1:]
	if user.Name == "system:apiserver" {
		name = "kube-apiserver"
	}
	return &Local{server: s, user: user, manager: name}
}

type view struct{ store.Snapshot }

func (v view) Revision() int64 { return int64(v.Snapshot.Revision()) }

func (v view) Get(ref client.Ref) client.Object {
	item := v.Snapshot.Get(store.Key{Table: ref.Table, Namespace: ref.Namespace, Name: ref.Name})
	if item == nil {
		return nil
	}
	obj, _ := item.Value().(resource.Object)
	return obj
}

func (v view) List(table, namespace string) iter.Seq[client.Object] {
	return func(yield func(client.Object) bool) {
		for item := range v.Snapshot.List(table, namespace, store.Key{}) {
			if obj, ok := item.Value().(resource.Object); ok && !yield(obj) {
				return
			}
		}
	}
}

// View is the newest committed state.
func (l *Local) View() client.View { return view{l.server.config.Store.Snapshot()} }

type watcher struct {
	store.Watcher
	events []client.Event
}

func (w *watcher) Next(ctx context.Context) ([]client.Event, error) {
	changes, err := w.Watcher.Next(ctx)
	if err != nil {
		return nil, err
	}
	w.events = w.events[:0]
	for i := range changes {
		e := client.Event{Type: client.EventType(changes[i].Type)}
		e.Object, _ = changes[i].Item.Value().(resource.Object)
		if p := changes[i].Prev; p != nil {
			e.Old, _ = p.Value().(resource.Object)
		}
		if e.Object != nil {
			w.events = append(w.events, e)
		}
	}
	return w.events, nil
}

// Watch yields the changes of a table behind a view.
func (l *Local) Watch(table string, after client.View) (client.Watcher, error) {
	w, err := l.server.config.Store.Watch(table, store.Revision(after.Revision()))
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", table, err)
	}
	return &watcher{Watcher: w}, nil
}

// WaitFor returns at once: a write that was answered is in the next View.
func (l *Local) WaitFor(ctx context.Context, _ client.Object) error { return ctx.Err() }

// begin makes the request of a call, begins its record if there is an audit, and asks whether it is allowed.
func (l *Local) begin(ctx context.Context, verb string, ref client.Ref, sub string) (context.Context, verbs.Request, error) {
	r := l.server.config.Kinds.ByTable(ref.Table)
	if r == nil {
		return ctx, verbs.Request{}, apierrors.NewBadRequest(fmt.Sprintf("no resource is kept in table %q", ref.Table))
	}
	version := versionWith(r, sub)
	q := verbs.Request{User: l.user, Verb: verb, Version: version, Namespace: ref.Namespace, Name: ref.Name,
		Subresource: sub, Manager: l.manager}
	a := auth.Attributes{User: l.user, Verb: verb, APIGroup: r.Group, APIVersion: version.Kind.Version, Resource: r.Name,
		Subresource: sub, Namespace: ref.Namespace, Name: ref.Name, IsResourceRequest: true}
	if verb == "create" && sub == "" {
		a.Name = ""
	}
	auditor := l.server.config.Audit
	if auditor == nil {
		return ctx, q, chain.Authorize(ctx, l.server.config.Authorizer, a)
	}
	record := auditor.Begin(string(uuid.NewUUID()), &a, nil)
	allowed, reason, err := l.server.config.Authorizer.Authorize(ctx, a)
	record.Decided(allowed, reason)
	if allowed {
		q.Annotate = record.Notes()
		return audit.With(ctx, record), q, nil
	}
	err = chain.Decided(a, allowed, reason, err)
	record.End(audit.Outcome{Code: int(encode.StatusOf(err).Code)})
	return ctx, q, err
}

// versionWith is the stored version, or, of a custom kind, another one where that has not the subresource.
func versionWith(r *resource.Resource, sub string) *encode.Version {
	stored := encode.Stored(r)
	if stored.Has(sub) {
		return stored
	}
	for _, version := range r.Custom.Versions {
		if v := encode.Stored(version); v.Has(sub) {
			return v
		}
	}
	return stored
}

// end tells the audit how a call went: what was sent, and what came back.
func (l *Local) end(ctx context.Context, sent, got any, err error) {
	record := audit.From(ctx)
	if record == nil {
		return
	}
	keepRequest, keepResponse := record.Bodies()
	outcome := audit.Outcome{Code: http.StatusOK}
	if obj, ok := sent.(client.Object); ok {
		record.About(obj)
	}
	if keepRequest {
		outcome.Request = audit.Written(sent)
	}
	if err != nil {
		status := encode.StatusOf(err)
		outcome.Code, got = int(status.Code), status
	}
	if keepResponse || err != nil {
		outcome.Response = audit.Written(got)
	}
	record.End(outcome)
}

// Create implements client.Client.
func (l *Local) Create(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.CreateOptions) (client.Object, error) {
	if sub == "" && ref.Namespace == "" {
		ref.Namespace = obj.GetNamespace()
	}
	ctx, q, err := l.begin(ctx, "create", ref, sub)
	if err != nil {
		return nil, err
	}
	out, err := l.create(ctx, q, obj, opts)
	l.end(ctx, obj, out, err)
	return out, err
}

func (l *Local) create(ctx context.Context, q verbs.Request, obj client.Object, opts metav1.CreateOptions) (client.Object, error) {
	v := l.server.verbs
	switch body := obj.(type) {
	case *corev1.Binding:
		return obj, v.Bind(ctx, q, body, opts)
	case *policyv1.Eviction:
		return obj, v.Evict(ctx, q, body, opts.DryRun)
	case *authenticationv1.TokenRequest:
		return l.object(v.RequestToken(ctx, q, body))
	}
	if q.Subresource != "" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%T is not what %s/%s takes", obj, q.Version.Resource.Name, q.Subresource))
	}
	mine := obj.DeepCopyObject().(resource.Object)
	if q.Version.Resource.Virtual {
		return v.Ask(ctx, q, mine)
	}
	q.Name = ""
	if q.Version.Resource.Namespaced && mine.GetNamespace() == "" {
		mine.SetNamespace(q.Namespace)
	}
	result, err := v.Create(ctx, q, mine, opts)
	return l.result(result, err)
}

func (l *Local) object(obj *authenticationv1.TokenRequest, err error) (client.Object, error) {
	if err != nil {
		return nil, err
	}
	return obj, nil
}

func (l *Local) result(result verbs.Result, err error) (client.Object, error) {
	if err != nil {
		return nil, verbs.Translate(err)
	}
	return result.Stored()
}

// Update implements client.Client.
func (l *Local) Update(ctx context.Context, ref client.Ref, sub string, obj client.Object, opts metav1.UpdateOptions) (client.Object, error) {
	ctx, q, err := l.begin(ctx, "update", ref, sub)
	if err != nil {
		return nil, err
	}
	var out client.Object
	if scale, ok := obj.(*autoscalingv1.Scale); ok && sub == "scale" {
		out, err = l.server.verbs.Rescale(ctx, q, opts.FieldManager, len(opts.DryRun) > 0,
			func(*autoscalingv1.Scale) (*autoscalingv1.Scale, error) { return scale, nil })
	} else {
		var result verbs.Result
		result, err = l.server.verbs.Update(ctx, q, obj.DeepCopyObject().(resource.Object), opts)
		out, err = l.result(result, err)
	}
	l.end(ctx, obj, out, err)
	return out, err
}

// Patch implements client.Client.
func (l *Local) Patch(ctx context.Context, ref client.Ref, sub string, kind types.PatchType, patch []byte, opts metav1.PatchOptions) (client.Object, error) {
	ctx, q, err := l.begin(ctx, "patch", ref, sub)
	if err != nil {
		return nil, err
	}
	result, err := l.server.verbs.Patch(ctx, q, kind, patch, opts)
	out, err := l.result(result, err)
	l.end(ctx, json.RawMessage(patch), out, err)
	return out, err
}

// Delete implements client.Client.
func (l *Local) Delete(ctx context.Context, ref client.Ref, opts metav1.DeleteOptions) error {
	ctx, q, err := l.begin(ctx, "delete", ref, "")
	if err != nil {
		return err
	}
	_, err = l.server.verbs.Delete(ctx, q, opts)
	err = verbs.Translate(err)
	l.end(ctx, nil, nil, err)
	return err
}

// GetLive implements client.Client. It is as new as View.
func (l *Local) GetLive(ctx context.Context, ref client.Ref) (client.Object, error) {
	ctx, q, err := l.begin(ctx, "get", ref, "")
	if err != nil {
		return nil, err
	}
	item, err := l.server.verbs.Get(ctx, q, 0)
	l.end(ctx, nil, nil, err)
	if err != nil {
		return nil, err
	}
	obj, ok := item.Value().(resource.Object)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("decode %v: %v", item.Key, item.Value()))
	}
	return obj, nil
}
