// Package review shows a write as webhooks and policies see it: in one of the versions that its resource is served in, with who
// wants what.
//
// It decides whether a rule concerns a write, and in which version; it owns nothing. Packages webhook and policy call it for
// writes that somebody configured something for. It reads from the snapshot of the write alone.
package review

import (
	"fmt"
	"reflect"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

const namespaces = "namespaces"

// Write is a write under review. It is for one goroutine; the forms that it shows are not to be changed.
type Write struct {
	*admit.Attributes
	forms map[schema.GroupVersionKind]objects
}

type objects struct{ now, old runtime.Object }

// Of reviews a write.
func Of(a *admit.Attributes) *Write {
	return &Write{Attributes: a, forms: map[schema.GroupVersionKind]objects{}}
}

// Exempt writes are not reviewed by what users configure, or a wrong configuration could never be righted.
func (w *Write) Exempt() bool { return w.Resource.Group == admissionregistrationv1.GroupName }

// Form is a version in which a write can be shown.
type Form struct {
	Resource schema.GroupVersionResource
	Kind     schema.GroupVersionKind
	version  *encode.Version
}

// Asked is the form of the request.
func (w *Write) Asked() Form {
	if w.Version == nil {
		return w.form(encode.Stored(w.Attributes.Resource))
	}
	return w.form(w.Version)
}

func (w *Write) form(v *encode.Version) Form {
	f := Form{Resource: v.GroupVersionResource(), Kind: v.Kind, version: v}
	if w.Body != nil {
		f.Kind = w.Body.Kind
	}
	return f
}

// Others are the forms in which the write could be shown besides.
func (w *Write) Others() []Form {
	asked := w.Asked()
	var all []Form
	for _, v := range encode.Versions(w.Attributes.Resource) {
		if f := w.form(v); f.Resource != asked.Resource && v.Has(w.Subresource) {
			all = append(all, f)
		}
	}
	return all
}

// Does is what happens, as webhooks name it.
func (w *Write) Does() admit.Operation {
	if w.Body != nil {
		return w.Body.Operation
	}
	return w.Operation
}

// Where is the namespace of the write; of a namespace, its own name.
func (w *Write) Where() string {
	if w.Attributes.Resource.Table() == namespaces {
		return w.Name
	}
	return w.Namespace
}

// Objects shows what is to be stored and what is stored; either may be nil.
func (w *Write) Objects(f Form) (now, old runtime.Object, err error) {
	if w.Body != nil {
		return given(w.Body.Object), given(w.Body.Old), nil
	}
	if o, ok := w.forms[f.Kind]; ok {
		return o.now, o.old, nil
	}
	var o objects
	if w.Object != nil {
		w.Object.GetObjectKind().SetGroupVersionKind(w.Attributes.Resource.GroupVersionKind())
		if o.now, err = w.show(f, w.Object); err != nil {
			return nil, nil, err
		}
	}
	if w.Old != nil {
		if o.old, err = w.show(f, w.Old); err != nil {
			return nil, nil, err
		}
	}
	w.forms[f.Kind] = o
	return o.now, o.old, nil
}

// show gives the object in a form. Objects of a custom kind are of the version of the request.
func (w *Write) show(f Form, obj resource.Object) (runtime.Object, error) {
	if f.version.Resource == w.Attributes.Resource {
		return f.version.FromStored(obj)
	}
	return w.Attributes.Resource.Custom.Convert(obj.DeepCopyObject().(resource.Object), f.Kind.Version)
}

// given is an object, or a nil interface in place of a nil pointer.
func given(obj runtime.Object) runtime.Object {
	if obj == nil || reflect.ValueOf(obj).IsNil() {
		return nil
	}
	return obj
}

// New makes an empty object of a form.
func (w *Write) New(f Form) runtime.Object {
	if w.Body != nil {
		return reflect.New(reflect.TypeOf(w.Body.Object).Elem()).Interface().(runtime.Object)
	}
	return f.version.New()
}

// Put makes obj, of a form, what is to be stored. obj belongs to the write from here on.
func (w *Write) Put(f Form, obj runtime.Object) error {
	clear(w.forms)
	if w.Body != nil {
		return assign(w.Body.Object, obj)
	}
	changed, ok := obj.(resource.Object)
	if !ok {
		return fmt.Errorf("take changes of %s: %T has no metadata", f.Kind, obj)
	}
	stored, err := w.take(f, changed)
	if err != nil {
		return err
	}
	if w.Attributes.Resource.Default != nil {
		w.Attributes.Resource.Default(stored)
	}
	return assign(w.Object, stored)
}

// take is the other way of show.
func (w *Write) take(f Form, obj resource.Object) (resource.Object, error) {
	row := f.version.Resource
	if row == w.Attributes.Resource {
		return f.version.ToStored(obj)
	}
	if row.Default != nil {
		row.Default(obj)
	}
	return row.Custom.Convert(obj, w.Attributes.Resource.Version)
}

// assign copies an object over another, which its owner holds.
func assign(to, from runtime.Object) error {
	if reflect.TypeOf(to) != reflect.TypeOf(from) {
		return fmt.Errorf("take changes: %T is no %T", from, to)
	}
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
	return nil
}

// NamespaceObject finds the namespace of a write that is in one.
func (w *Write) NamespaceObject() (*corev1.Namespace, bool) {
	item := w.Snapshot.Get(store.Key{Table: namespaces, Name: w.Where()})
	if item == nil {
		return nil, false
	}
	namespace, ok := item.Value().(*corev1.Namespace)
	return namespace, ok
}

// Current is what would be stored, in the version in which it is; nil if nothing would be.
func (w *Write) Current() runtime.Object {
	if w.Body != nil {
		return given(w.Body.Object)
	}
	if w.Object == nil {
		return nil
	}
	return w.Object
}
