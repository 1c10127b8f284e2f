package discovery

import (
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"proa/kinds/resource"
)

// listKind is the kind of lists of the place's objects.
func (p *place) listKind() schema.GroupVersionKind {
	if p.custom != nil {
		return p.gv.WithKind(p.custom.ListKind())
	}
	return p.kind.GroupVersion().WithKind(p.kind.Kind + "List")
}

// customSchema refers to the definition of a kind that users defined, or of its list.
func (p *place) customSchema(gvk schema.GroupVersionKind) *spec.Schema {
	defs := &p.d.defs
	name := resource.ModelName(gvk)
	if _, ok := defs.all[name]; !ok {
		if gvk.Kind == p.custom.ListKind() {
			defs.all[name] = p.customList(gvk)
		} else {
			defs.all[name] = *p.custom.Custom.Schema(defs.v2)
			defs.ref(reflect.TypeFor[metav1.ObjectMeta]())
		}
	}
	return spec.RefSchema("#/definitions/" + name)
}

func (p *place) customList(gvk schema.GroupVersionKind) spec.Schema {
	item := spec.RefSchema("#/definitions/" + resource.ModelName(p.gv.WithKind(p.custom.Kind)))
	meta := p.d.defs.ref(reflect.TypeFor[metav1.ListMeta]())
	doc := metav1.TypeMeta{}.SwaggerDoc()
	s := new(spec.Schema).Typed("object", "").WithDescription(fmt.Sprintf("%s is a list of %s", gvk.Kind, p.custom.Kind)).WithRequired("items").
		SetProperty("items", *spec.ArrayProperty(item).WithDescription("List of " + p.custom.Name + ". More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md")).
		SetProperty("metadata", *meta.WithDescription(metav1.PartialObjectMetadataList{}.SwaggerDoc()["metadata"])).
		SetProperty("kind", *spec.StringProperty().WithDescription(doc["kind"])).
		SetProperty("apiVersion", *spec.StringProperty().WithDescription(doc["apiVersion"]))
	s.AddExtension("x-kubernetes-group-version-kind", []any{map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}})
	return *s
}
