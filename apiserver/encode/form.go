package encode

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/apiserver/settle"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
)

// Version is one group version under which a resource is read and written.
type Version struct {
	Resource *resource.Resource
	Kind     schema.GroupVersionKind
	served   *resource.Served // nil: the stored version
	form     store.Form       // of JSON; form+1 is protobuf's, used by served versions only
}

// VersionOf finds what a group version serves under a plural name, or returns nil.
func VersionOf(table *kinds.Table, gvr schema.GroupVersionResource) *Version {
	r := table.ByResource(gvr)
	if r == nil {
		return nil
	}
	if gvr.Group == r.Group && gvr.Version == r.Version {
		return Stored(r)
	}
	for i := range r.Served {
		s := &r.Served[i]
		if s.Group != gvr.Group || s.Version != gvr.Version {
			continue
		}
		return served(r, i)
	}
	return nil
}

// served is one of the further versions of a resource.
func served(r *resource.Resource, i int) *Version {
	s := &r.Served[i]
	kind := s.Kind
	if kind == "" {
		kind = r.Kind
	}
	gvk := schema.GroupVersionKind{Group: s.Group, Version: s.Version, Kind: kind}
	return &Version{Resource: r, Kind: gvk, served: s, form: store.Form(1 + 2*i)}
}

// Owned lists the versions of a resource whose managers own fields of their own, the stored one first. Versions of
// earlier years are not among them: their fields are owned as those of the stored version, which they are turned into.
func Owned(r *resource.Resource) []*Version {
	return slices.DeleteFunc(Versions(r), func(v *Version) bool { return !v.OwnFields() })
}

// OwnFields: see Owned.
func (v *Version) OwnFields() bool { return v.served == nil || v.served.Deprecated == "" }

// Stored is the version under which a resource is kept.
func Stored(r *resource.Resource) *Version {
	return &Version{Resource: r, Kind: r.GroupVersionKind()}
}

// New makes an empty object of this version.
func (v *Version) New() resource.Object {
	if v.served != nil {
		return v.served.New()
	}
	return v.Resource.New()
}

// NewList makes an empty list of this version.
func (v *Version) NewList() runtime.Object {
	if v.served != nil {
		return v.served.NewList()
	}
	return v.Resource.NewList()
}

// Deprecated is the warning that users of this version get, or "".
func (v *Version) Deprecated() string {
	if v.served == nil {
		return v.Resource.Deprecated
	}
	return v.served.Deprecated
}

// Validate says what is wrong with a new object that is written through this version. obj is of the stored version.
func (v *Version) Validate(ctx context.Context, obj resource.Object) field.ErrorList {
	if c := v.Resource.Custom; c != nil {
		return c.Validate(ctx, obj, nil, nil)
	}
	validate := v.Resource.Validate
	if v.served != nil && v.served.Validate != nil {
		validate = v.served.Validate
	}
	if validate == nil {
		return nil
	}
	return validate(obj)
}

// ValidateUpdate says what is wrong with a change through this version and one of its doors, or none. obj and old are of the
// stored version.
func (v *Version) ValidateUpdate(ctx context.Context, obj, old resource.Object, door *resource.Subresource) field.ErrorList {
	if c := v.Resource.Custom; c != nil {
		return c.Validate(ctx, obj, old, door)
	}
	validate := v.Resource.ValidateUpdate
	if door != nil {
		validate = door.ValidateUpdate
	} else if v.served != nil && v.served.ValidateUpdate != nil {
		validate = v.served.ValidateUpdate
	}
	if validate == nil {
		return nil
	}
	return validate(obj, old)
}

// Field finds the key of the row's Fields that a field selector of this version means.
func (v *Version) Field(label string) (key string, known bool) {
	if v.served != nil && v.served.FieldLabels != nil {
		key, known = v.served.FieldLabels[label]
		return key, known
	}
	return label, slices.Contains(v.Resource.FieldLabels, label)
}

// ToStored gives the object of this version in the stored version, with its type named. It may be obj itself.
func (v *Version) ToStored(obj resource.Object) (resource.Object, error) {
	if v.served != nil {
		if v.served.Default != nil {
			v.served.Default(obj)
		}
		converted, err := v.Convert(obj)
		if err != nil {
			return nil, err
		}
		obj = converted
		v.DefaultStored(obj)
	}
	if v.Resource.Custom == nil { // an object of a custom kind names its own, which validation compares
		obj.GetObjectKind().SetGroupVersionKind(v.Resource.GroupVersionKind())
	}
	return obj, nil
}

// Convert is ToStored without defaults.
func (v *Version) Convert(obj resource.Object) (resource.Object, error) {
	if v.served == nil {
		return obj, nil
	}
	converted, err := v.served.ToStored(obj)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", v.Kind, err)
	}
	converted.GetObjectKind().SetGroupVersionKind(v.Resource.GroupVersionKind())
	return converted, nil
}

// DefaultStored sets, on the stored form of what a client sent, the defaults that are this version's alone.
func (v *Version) DefaultStored(obj resource.Object) {
	if v.served != nil && v.served.DefaultStored != nil {
		v.served.DefaultStored(obj)
	}
}

// ConfigToStored turns an applied configuration of this version into one of the stored version.
func (v *Version) ConfigToStored(config map[string]any) {
	if v.served != nil && v.served.Config != nil {
		v.served.Config(config)
	}
}

// FromStored gives a stored object in this version, with its type named. The result may be obj itself and is
// shared with it: callers must not change it.
func (v *Version) FromStored(obj resource.Object) (resource.Object, error) {
	if v.served == nil {
		return obj, nil
	}
	converted, err := v.served.FromStored(obj)
	if err != nil {
		return nil, fmt.Errorf("convert to %s: %w", v.Kind, err)
	}
	converted.GetObjectKind().SetGroupVersionKind(v.Kind)
	return converted, nil
}

// Tried is what a client would see of an object that was to be stored and is not. A custom one may lose fields that the
// stored version has not, and have its defaults. obj is not used after.
func (v *Version) Tried(obj resource.Object) (resource.Object, error) {
	custom := v.Resource.Custom
	if custom == nil {
		return v.FromStored(obj)
	}
	kept, err := custom.Keep(obj)
	if err != nil {
		return nil, err
	}
	shown, err := v.show([]resource.Object{kept})
	if err != nil {
		return nil, err
	}
	return shown[0], nil
}

// Object is the item in this version. It is shared: callers must not change it.
func (v *Version) Object(item *store.Item) (resource.Object, error) {
	obj, ok := item.Value().(resource.Object)
	if !ok {
		return nil, fmt.Errorf("decode %s %s/%s: %v", item.Key.Table, item.Key.Namespace, item.Key.Name, item.Value())
	}
	if v.Resource.Custom != nil {
		return v.customObject(item, obj)
	}
	return v.FromStored(obj)
}

// Ruled is the item in the version that the row's rules are for: the stored one, or of custom kinds this one. It is shared:
// callers must not change it.
func (v *Version) Ruled(item *store.Item) (resource.Object, error) {
	if v.Resource.Custom != nil {
		return v.Object(item)
	}
	obj, ok := item.Value().(resource.Object)
	if !ok {
		return nil, fmt.Errorf("decode %s %s/%s: %v", item.Key.Table, item.Key.Namespace, item.Key.Name, item.Value())
	}
	return obj, nil
}

// Keep turns an object that the row's rules have been applied to into what is stored of it. It may be obj itself.
func (v *Version) Keep(obj resource.Object) (resource.Object, error) {
	if c := v.Resource.Custom; c != nil {
		return c.Keep(obj)
	}
	return obj, nil
}

// protoMessage is what every API type of the libraries implements.
type protoMessage interface {
	Size() int
	MarshalToSizedBuffer([]byte) (int, error)
	Unmarshal([]byte) error
}

// ToStore gives the bytes that the store keeps of an object of the stored version. It clears resourceVersion.
func ToStore(obj resource.Object) ([]byte, error) {
	obj.SetResourceVersion("")
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return customToStore(u)
	}
	m, ok := obj.(protoMessage)
	if !ok {
		return nil, fmt.Errorf("encode %T: not a protobuf message", obj)
	}
	data, err := marshal(m)
	if err == nil {
		shareOwners(obj, data)
	}
	return data, err
}

// shareOwners points the ownership of fields, a third of a small object, at the bytes of which it is a part.
func shareOwners(obj resource.Object, data []byte) {
	entries, at := obj.GetManagedFields(), 0
	for i := range entries {
		fields := entries[i].FieldsV1
		if fields == nil || len(fields.Raw) < 32 {
			continue
		}
		if n := bytes.Index(data[at:], fields.Raw); n >= 0 {
			at += n
			end := at + len(fields.Raw)
			entries[i].FieldsV1 = &metav1.FieldsV1{Raw: data[at:end:end]}
			at = end
		}
	}
}

func marshal(m protoMessage) ([]byte, error) {
	b := make([]byte, m.Size())
	n, err := m.MarshalToSizedBuffer(b)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m, err)
	}
	return b[len(b)-n:], nil
}

// Decoder makes what a store needs to decode its items. A decoded item is a resource.Object of the stored version
// with its type and resourceVersion set; bytes that cannot be decoded, or tables that no row names, give an error value.
func Decoder(table *kinds.Table) func(*store.Item) any {
	var pool settle.Pool
	return func(item *store.Item) any {
		if isCustom(item.Data) {
			return decodeCustom(item)
		}
		r := table.ByTable(item.Key.Table)
		if r == nil {
			return fmt.Errorf("decode %s: no such resource", item.Key.Table)
		}
		obj := r.New()
		m, ok := obj.(protoMessage)
		if !ok {
			return fmt.Errorf("decode %T: not a protobuf message", obj)
		}
		if err := m.Unmarshal(item.Data); err != nil {
			return fmt.Errorf("decode %s %s/%s: %w", item.Key.Table, item.Key.Namespace, item.Key.Name, err)
		}
		shareOwners(obj, item.Data)
		Stamp(obj, r, item.Revision)
		pool.Share(obj, nil)
		pool.Remember(obj)
		return obj
	}
}

// Stamp sets what the stored bytes leave out: the type's name and the resourceVersion, and what the kind says.
func Stamp(obj resource.Object, r *resource.Resource, rev store.Revision) {
	if r.Unstored != nil {
		r.Unstored(obj)
	}
	obj.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
	obj.SetResourceVersion(FormatRevision(rev))
}

// FormatRevision is a revision as clients see it.
func FormatRevision(rev store.Revision) string { return strconv.FormatInt(int64(rev), 10) }

// metaOf is the part of an object that PartialObjectMetadata shows. It shares maps and slices with obj.
func metaOf(obj resource.Object) metav1.ObjectMeta {
	if a, ok := obj.(metav1.ObjectMetaAccessor); ok {
		if m, ok := a.GetObjectMeta().(*metav1.ObjectMeta); ok {
			return *m
		}
	}
	return metav1.ObjectMeta{Name: obj.GetName(), GenerateName: obj.GetGenerateName(), Namespace: obj.GetNamespace(),
		UID: obj.GetUID(), ResourceVersion: obj.GetResourceVersion(), Generation: obj.GetGeneration(),
		CreationTimestamp: obj.GetCreationTimestamp(), DeletionTimestamp: obj.GetDeletionTimestamp(),
		DeletionGracePeriodSeconds: obj.GetDeletionGracePeriodSeconds(), Labels: obj.GetLabels(), Annotations: obj.GetAnnotations(),
		OwnerReferences: obj.GetOwnerReferences(), Finalizers: obj.GetFinalizers(), ManagedFields: obj.GetManagedFields()}
}
