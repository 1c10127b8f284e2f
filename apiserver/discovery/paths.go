package discovery

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"proa/kinds/resource"
)

// documents gathers what a document says: the paths of the group versions that are added, and all types they speak of.
type documents struct {
	cfg   Config
	defs  definitions
	paths map[string]spec.PathItem
}

func newDocuments(cfg Config, v2 bool) *documents {
	return &documents{cfg: cfg, paths: map[string]spec.PathItem{},
		defs: definitions{scheme: cfg.Scheme, lists: newListTypes(cfg.Scheme), v2: v2, all: spec.Definitions{}}}
}

func (d *documents) swagger() *spec.Swagger {
	return &spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger:     "2.0",
		Info:        &spec.Info{InfoProps: spec.InfoProps{Title: "Kubernetes", Version: d.cfg.Version.GitVersion}},
		Paths:       &spec.Paths{Paths: d.paths},
		Definitions: d.defs.all,
	}}
}

// add describes all resources of a group version.
func (d *documents) add(gv schema.GroupVersion, resources []metav1.APIResource) {
	for i := range resources {
		r := &resources[i]
		p := place{d: d, gv: gv, r: r, base: "/" + gvPath(gv) + "/"}
		p.kind = gv.WithKind(r.Kind)
		if r.Version != "" {
			p.kind = schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
		}
		parent, sub, isSub := strings.Cut(r.Name, "/")
		if row := d.cfg.Kinds.ByResource(gv.WithResource(parent)); row != nil && row.Custom != nil {
			p.custom = row
		}
		if r.Namespaced {
			p.base += "namespaces/{namespace}/"
		}
		if isSub {
			p.subresource(parent, sub)
			continue
		}
		p.collection()
	}
}

// place is where one resource is served.
type place struct {
	d    *documents
	gv   schema.GroupVersion
	r    *metav1.APIResource
	kind schema.GroupVersionKind
	base string

	custom *resource.Resource // of a kind that users defined; nil for all others
}

// collection describes /RESOURCE, /RESOURCE/{name}, and the list over all namespaces.
func (p *place) collection() {
	object, list := p.schema(p.kind), p.schema(p.listKind())
	item := spec.PathItem{PathItemProps: spec.PathItemProps{Parameters: p.pathParameters(false)}}
	if p.can("list") {
		item.Get = p.operation("list", list, nil, listParameters())
	}
	if p.can("create") {
		item.Post = p.operation("post", object, object, writeParameters())
	}
	if p.can("deletecollection") {
		item.Delete = p.operation("deletecollection", p.typed(metav1.Status{}), p.typed(metav1.DeleteOptions{}), listParameters())
	}
	p.d.paths[p.base+p.r.Name] = item
	if p.r.Namespaced && p.can("list") {
		everywhere := spec.PathItem{}
		everywhere.Get = p.operation("list", list, nil, listParameters())
		everywhere.Get.ID = strings.Replace(everywhere.Get.ID, "Namespaced", "", 1) + "ForAllNamespaces"
		p.d.paths["/"+gvPath(p.gv)+"/"+p.r.Name] = everywhere
	}
	if p.can("get") || p.can("delete") {
		p.d.paths[p.base+p.r.Name+"/{name}"] = p.named(object)
	}
}

// named describes what can be done with one object.
func (p *place) named(object *spec.Schema) spec.PathItem {
	item := spec.PathItem{PathItemProps: spec.PathItemProps{Parameters: p.pathParameters(true)}}
	if p.can("get") {
		item.Get = p.operation("get", object, nil, nil)
	}
	if p.can("update") {
		item.Put = p.operation("put", object, object, writeParameters())
	}
	if p.can("patch") {
		item.Patch = p.operation("patch", object, p.typed(metav1.Patch{}), append(writeParameters(),
			queries(metav1.PatchOptions{}, "force:boolean")...))
		item.Patch.Consumes = []string{"application/json-patch+json", "application/merge-patch+json",
			"application/strategic-merge-patch+json", "application/apply-patch+yaml"}
		if p.custom != nil { // has no Go type, whose tags a strategic merge goes by
			item.Patch.Consumes = slices.Delete(item.Patch.Consumes, 2, 3)
		}
	}
	if p.can("delete") {
		item.Delete = p.operation("delete", p.typed(metav1.Status{}), p.typed(metav1.DeleteOptions{}), deleteParameters())
	}
	return item
}

// subresource describes /RESOURCE/{name}/SUB. A stream or a proxy answers with whatever it carries.
func (p *place) subresource(parent, sub string) {
	path := p.base + parent + "/{name}/" + sub
	stream := sub == "log" || strings.HasSuffix(p.kind.Kind, "Options")
	if !stream {
		object := p.schema(p.kind)
		item := p.named(object)
		if p.can("create") {
			item.Post = p.operation("post", object, object, writeParameters())
		}
		p.d.paths[path] = item
		return
	}
	p.d.paths[path] = p.stream(sub == "log", "")
	if sub == "proxy" {
		rest := p.stream(false, "WithPath")
		rest.Parameters = append(p.pathParameters(true), pathParameter("path", "path to the resource"))
		p.d.paths[path+"/{path}"] = rest
	}
}

// stream describes methods that carry no object.
func (p *place) stream(log bool, suffix string) spec.PathItem {
	text := &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"string"}}}
	item := spec.PathItem{PathItemProps: spec.PathItemProps{Parameters: p.pathParameters(true)}}
	if log {
		item.Get = p.operation("get", text, nil, nil)
		item.Get.Produces = []string{"text/plain"}
		return item
	}
	for _, verb := range []struct {
		name, method string
		to           **spec.Operation
	}{{"get", "Get", &item.Get}, {"create", "Post", &item.Post}, {"update", "Put", &item.Put},
		{"patch", "Patch", &item.Patch}, {"delete", "Delete", &item.Delete}} {
		if p.can(verb.name) {
			op := p.operation("connect"+verb.method, text, nil, nil)
			op.ID += suffix
			op.Produces = []string{"*/*"}
			*verb.to = op
		}
	}
	return item
}

func (p *place) can(verb string) bool {
	for _, v := range p.r.Verbs {
		if v == verb {
			return true
		}
	}
	return false
}

// schema refers to the definition of a kind, or says that anything is possible.
func (p *place) schema(gvk schema.GroupVersionKind) *spec.Schema {
	if p.custom != nil && gvk.GroupVersion() == p.gv {
		return p.customSchema(gvk)
	}
	obj, err := p.d.cfg.Scheme.New(gvk)
	if err != nil {
		return &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}}}
	}
	s := p.d.defs.ref(reflect.TypeOf(obj).Elem())
	return &s
}

func (p *place) typed(v any) *spec.Schema {
	s := p.d.defs.ref(reflect.TypeOf(v))
	return &s
}
