package custom

import (
	"fmt"
	"slices"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kubeversion "k8s.io/apimachinery/pkg/version"

	"proa/kinds/apiextensions"
	"proa/kinds/resource"
)

// kind is what a definition makes: a row for each version.
type kind struct {
	group, name string // name is the plural
	versions    map[string]*version
	webhook     *webhook // nil: versions differ in nothing but their name
	stored      *resource.Resource
	replaced    chan struct{}
}

// version is one version of a kind.
type version struct {
	kind   *kind
	spec   *apiextensionsv1.CustomResourceDefinitionVersion
	row    *resource.Resource
	schema func() (*compiled, error) // compiles once
}

// served says whether objects of the definition can be asked for: it has, or soon will have, its names for itself.
func served(d *apiextensionsv1.CustomResourceDefinition) bool {
	return (apiextensions.Is(d, apiextensionsv1.NamesAccepted) || apiextensions.Is(d, apiextensionsv1.Established)) &&
		apiextensions.StorageVersion(d) != "" && d.Status.AcceptedNames.Plural != "" && d.Status.AcceptedNames.Kind != ""
}

// sameKind says whether two states of a definition make the same rows.
func sameKind(a, b *apiextensionsv1.CustomResourceDefinition) bool {
	return a.UID == b.UID && served(a) == served(b) &&
		apiextensions.Is(a, apiextensionsv1.Established) == apiextensions.Is(b, apiextensionsv1.Established) &&
		apiextensions.Is(a, apiextensionsv1.Terminating) == apiextensions.Is(b, apiextensionsv1.Terminating) &&
		equality.Semantic.DeepEqual(a.Status.AcceptedNames, b.Status.AcceptedNames) && equality.Semantic.DeepEqual(a.Spec, b.Spec)
}

// newKind makes the rows of a definition that is served. epoch gives each of them a number of its own.
func newKind(d *apiextensionsv1.CustomResourceDefinition, call Call, epoch func() uint64) *kind {
	k := &kind{group: d.Spec.Group, name: d.Status.AcceptedNames.Plural, versions: map[string]*version{}, replaced: make(chan struct{})}
	if c := d.Spec.Conversion; c != nil && c.Strategy == apiextensionsv1.WebhookConverter && c.Webhook != nil {
		k.webhook = &webhook{call: call, spec: c.Webhook, kind: d.Status.AcceptedNames.Kind}
	}
	var rows, all []*resource.Resource
	for i := range d.Spec.Versions {
		v := k.add(d, &d.Spec.Versions[i])
		v.row.Custom.Epoch = epoch()
		all = append(all, v.row)
		if v.spec.Storage {
			k.stored = v.row
		}
		if v.spec.Served {
			rows = append(rows, v.row)
		}
	}
	slices.SortStableFunc(rows, func(a, b *resource.Resource) int {
		return kubeversion.CompareKubeAwareVersionStrings(b.Version, a.Version)
	})
	for _, v := range k.versions {
		v.row.Custom.Storage, v.row.Custom.Versions, v.row.Custom.Defined = k.stored, rows, all
	}
	return k
}

func (k *kind) add(d *apiextensionsv1.CustomResourceDefinition, spec *apiextensionsv1.CustomResourceDefinitionVersion) *version {
	v := &version{kind: k, spec: spec}
	v.schema = sync.OnceValues(func() (*compiled, error) { return compile(spec, d.Spec.PreserveUnknownFields) })
	names := d.Status.AcceptedNames
	v.row = &resource.Resource{
		Group: d.Spec.Group, Version: spec.Name, Name: names.Plural, Singular: names.Singular, Kind: names.Kind,
		ShortNames: names.ShortNames, Categories: names.Categories, Namespaced: d.Spec.Scope == apiextensionsv1.NamespaceScoped,
		AnyFinalizer: true, LooseMetadata: true, // the rules check it
		Warnings:      warnings,
		PrepareCreate: v.prepareCreate, PrepareUpdate: v.prepareUpdate,
		Default: v.fill,
		Custom: &resource.Custom{
			ListKind: names.ListKind, CallsOut: k.webhook != nil, Replaced: k.replaced,
			Listed:      apiextensions.Is(d, apiextensionsv1.Established),
			Terminating: apiextensions.Is(d, apiextensionsv1.Terminating),
			Validate:    v.validate, Admit: v.admit, Show: v.show, Keep: v.keep, Convert: k.convertOne,
			PreservesUnknown: d.Spec.PreserveUnknownFields,
		},
	}
	gvk := v.row.GroupVersionKind()
	v.row.New = func() resource.Object {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(gvk)
		return u
	}
	v.row.NewList = func() runtime.Object {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(names.ListKind))
		return list
	}
	v.row.Custom.Schema = func(v2 bool) *openapi { return v.openapi(d, v2) }
	v.row.Custom.Digest = sync.OnceValue(func() string { return digest(d, spec) })
	v.row.Columns, v.row.Row = columnsOf(spec.AdditionalPrinterColumns)
	v.row.FieldLabels, v.row.Fields = fieldsOf(spec.SelectableFields)
	v.row.Deprecated = deprecation(d, spec)
	if s := spec.Subresources; s != nil {
		if s.Status != nil {
			v.row.Status = &resource.Subresource{PrepareUpdate: prepareStatus}
		}
		if s.Scale != nil {
			v.row.Scale = scaleOf(s.Scale)
		}
	}
	k.versions[spec.Name] = v
	return v
}

// deprecation is the warning of those who use a version, or "".
func deprecation(d *apiextensionsv1.CustomResourceDefinition, v *apiextensionsv1.CustomResourceDefinitionVersion) string {
	switch {
	case !v.Deprecated:
		return ""
	case v.DeprecationWarning != nil:
		return *v.DeprecationWarning
	}
	text := fmt.Sprintf("%s/%s %s is deprecated", d.Spec.Group, v.Name, d.Spec.Names.Kind)
	newest := ""
	for _, other := range d.Spec.Versions {
		if other.Served && !other.Deprecated && kubeversion.CompareKubeAwareVersionStrings(v.Name, other.Name) < 0 &&
			(newest == "" || kubeversion.CompareKubeAwareVersionStrings(newest, other.Name) < 0) {
			newest = other.Name
		}
	}
	if newest != "" {
		text += fmt.Sprintf("; use %s/%s %s", d.Spec.Group, newest, d.Spec.Names.Kind)
	}
	return text
}

// admit is resource.Custom.Admit.
func (v *version) admit(obj resource.Object, paths bool) ([]string, error) {
	u := obj.(*unstructured.Unstructured)
	gvk := u.GroupVersionKind()
	of := v.kind.versions[gvk.Version] // another than v, and another kind, are refused by validation
	if of == nil || gvk.GroupKind() != v.row.GroupVersionKind().GroupKind() {
		return coerceMetadata(u, source{paths: paths})
	}
	s, err := of.schema()
	if err != nil {
		return nil, err
	}
	unknown, err := s.coerce(u, source{paths: paths})
	if err == nil {
		err = s.tooMuch(u.Object)
	}
	return unknown, err
}

// keep is resource.Custom.Keep.
func (v *version) keep(obj resource.Object) (resource.Object, error) {
	return v.kind.convertOne(obj, v.kind.stored.Version)
}

// fill is the row's Default. A schema that does not compile is told of by admit, before.
func (v *version) fill(obj resource.Object) {
	if s, err := v.schema(); err == nil {
		s.fill(obj.(*unstructured.Unstructured))
	}
}

func (v *version) prepareCreate(obj resource.Object) {
	if v.row.Status != nil {
		delete(obj.(*unstructured.Unstructured).Object, "status")
	}
	obj.SetGeneration(1)
}

// prepareUpdate keeps the status, if that has a door of its own, and counts the changes of everything but metadata.
func (v *version) prepareUpdate(obj, old resource.Object) {
	next, before := obj.(*unstructured.Unstructured).Object, old.(*unstructured.Unstructured).Object
	if v.row.Status != nil {
		if status, ok := before["status"]; ok {
			next["status"] = runtime.DeepCopyJSONValue(status)
		} else {
			delete(next, "status")
		}
	}
	if !equality.Semantic.DeepEqual(withoutMetadata(next), withoutMetadata(before)) {
		obj.SetGeneration(old.GetGeneration() + 1)
	}
}

func withoutMetadata(content map[string]any) map[string]any {
	rest := make(map[string]any, len(content))
	for name, value := range content {
		if name != "metadata" {
			rest[name] = value
		}
	}
	return rest
}

// prepareStatus keeps everything but the status, and who owns which of its fields.
func prepareStatus(obj, old resource.Object) {
	u := obj.(*unstructured.Unstructured)
	status, has := u.Object["status"]
	owners := u.GetManagedFields()
	u.Object = old.(*unstructured.Unstructured).DeepCopy().Object
	u.SetManagedFields(owners)
	if has {
		u.Object["status"] = status
	} else {
		delete(u.Object, "status")
	}
}
