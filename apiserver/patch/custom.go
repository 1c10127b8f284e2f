package patch

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"proa/kinds/resource"
)

// Kinds that users defined have no Go type to plan by. Upstream's keeper does for them, with the schemas of the definition.

// ownersKey is where a row of a custom kind keeps its owners.
type ownersKey struct{ subresource string }

// typesKey is where the row of the storage version keeps the types of all versions.
type typesKey struct{}

// customManager is upstream's keeper for a version of a custom kind.
func customManager(r *resource.Resource, subresource string) (*managedfields.FieldManager, error) {
	made, _ := r.Custom.Kept.LoadOrStore(ownersKey{subresource}, sync.OnceValues(func() (*managedfields.FieldManager, error) {
		types, err := customTypes(r)
		if err != nil {
			return nil, err
		}
		gvk, between := r.GroupVersionKind(), customVersions{r}
		m, err := managedfields.NewDefaultCRDFieldManager(types, between, between, between, gvk, gvk.GroupVersion(), subresource, customResetFields(r, subresource))
		if err != nil {
			return nil, fmt.Errorf("keep fields of %s: %w", gvk, err)
		}
		return m, nil
	}))
	return made.(func() (*managedfields.FieldManager, error))()
}

// customTypes knows the fields of all versions, for an owner may have written through any.
func customTypes(r *resource.Resource) (managedfields.TypeConverter, error) {
	made, _ := r.Custom.Storage.Custom.Kept.LoadOrStore(typesKey{}, sync.OnceValues(func() (managedfields.TypeConverter, error) {
		models := metadataModels()
		versions := r.Custom.Versions
		for _, version := range append(versions[:len(versions):len(versions)], r.Custom.Storage) {
			models[resource.ModelName(version.GroupVersionKind())] = version.Custom.Schema(false)
		}
		types, err := managedfields.NewTypeConverter(models, r.Custom.PreservesUnknown)
		if err != nil {
			return nil, fmt.Errorf("type fields of %s: %w", r.Table(), err)
		}
		return orderedTypes{types}, nil
	}))
	return made.(func() (managedfields.TypeConverter, error))()
}

// customResetFields are the fields that a request cannot change, through whichever version they were written.
func customResetFields(r *resource.Resource, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	reset := map[fieldpath.APIVersion]fieldpath.Filter{}
	add := func(version *resource.Resource, fields ...string) {
		set := fieldpath.NewSet()
		for _, name := range fields {
			set.Insert(fieldpath.MakePathOrDie(name))
		}
		reset[fieldpath.APIVersion(version.GroupVersionKind().GroupVersion().String())] = fieldpath.NewExcludeSetFilter(set)
	}
	switch {
	case subresource == "status":
		for _, version := range r.Custom.Versions {
			if version.Status != nil {
				add(version, "metadata", "spec")
			}
		}
	case subresource == "" && r.Status != nil:
		add(r, "status")
	}
	return reset
}

// customVersions converts between the versions of a custom kind, for upstream's keeper.
type customVersions struct{ resource *resource.Resource }

func (v customVersions) New(schema.GroupVersionKind) (runtime.Object, error) {
	return v.resource.New(), nil
}

func (v customVersions) Default(obj runtime.Object) {
	if o, ok := obj.(resource.Object); ok {
		v.resource.Default(o)
	}
}

func (v customVersions) Convert(in, out, _ any) error {
	return fmt.Errorf("convert %T to %T: custom objects are converted to a version", in, out)
}

func (v customVersions) ConvertToVersion(in runtime.Object, target runtime.GroupVersioner) (runtime.Object, error) {
	gvk := in.GetObjectKind().GroupVersionKind()
	to, ok := target.KindForGroupVersionKinds([]schema.GroupVersionKind{gvk})
	if !ok {
		return nil, runtime.NewNotRegisteredErrForTarget("proa", reflect.TypeOf(in), target)
	}
	if to == gvk {
		return in, nil
	}
	known := to.Version == v.resource.Custom.Storage.Version
	for _, version := range v.resource.Custom.Versions {
		known = known || to.Version == version.Version
	}
	if !known { // the version is gone, and with it what was owned through it
		return nil, runtime.NewNotRegisteredErrForTarget("proa", reflect.TypeOf(in), target)
	}
	return v.resource.Custom.Convert(in.DeepCopyObject().(resource.Object), to.Version)
}

func (v customVersions) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

// stampOwners gives the entries that a write made or changed the time of the write: upstream's keeper reads the machine's.
// Entries that were known before, to the store or to the client, have a time of theirs.
func stampOwners(obj resource.Object, known []metav1.ManagedFieldsEntry, now time.Time) {
	at := metav1.NewTime(now.UTC()).Rfc3339Copy()
	entries := obj.GetManagedFields()
	for i := range entries {
		had := func(k metav1.ManagedFieldsEntry) bool { return k.Time.Equal(entries[i].Time) }
		if !slices.ContainsFunc(known, had) {
			entries[i].Time = &at
		}
	}
	obj.SetManagedFields(entries)
}

// metadataModels describes what every object has, as far as ownership of fields goes.
func metadataModels() map[string]*spec.Schema {
	text := *spec.StringProperty()
	texts, at := spec.MapProperty(&text), *spec.DateTimeProperty() // a time's text is not typed, and validation says what is wrong with it
	said := *spec.StringProperty().WithDefault("")                 // what is always written, so that an owner without a uid is the one of none
	owner := object(map[string]spec.Schema{"apiVersion": said, "kind": said, "name": said, "uid": said,
		"controller": *spec.BooleanProperty(), "blockOwnerDeletion": *spec.BooleanProperty()})
	owner.AddExtension("x-kubernetes-map-type", "atomic")
	owners := spec.ArrayProperty(owner)
	owners.AddExtension("x-kubernetes-list-type", "map")
	owners.AddExtension("x-kubernetes-list-map-keys", []any{"uid"})
	finalizers := spec.ArrayProperty(&text)
	finalizers.AddExtension("x-kubernetes-list-type", "set")
	managed := spec.ArrayProperty(object(map[string]spec.Schema{"apiVersion": text, "fieldsType": text, "fieldsV1": *object(nil), "manager": text,
		"operation": text, "subresource": text, "time": at}))
	managed.AddExtension("x-kubernetes-list-type", "atomic")
	metadata := object(map[string]spec.Schema{
		"name": text, "generateName": text, "namespace": text, "selfLink": text, "uid": text, "resourceVersion": text,
		"generation": *spec.Int64Property(), "creationTimestamp": at, "deletionTimestamp": at, "deletionGracePeriodSeconds": *spec.Int64Property(),
		"labels": *texts, "annotations": *texts, "ownerReferences": *owners, "finalizers": *finalizers, "managedFields": *managed,
	})
	return map[string]*spec.Schema{metav1.ObjectMeta{}.OpenAPIModelName(): metadata}
}

func object(properties map[string]spec.Schema) *spec.Schema {
	return &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}, Properties: properties}}
}
