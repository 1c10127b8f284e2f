package discovery

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Schema describes a built-in kind with everything that it is made of in place, for who checks expressions about it. An error
// that wraps resolver.ErrSchemaNotFound says that the kind is none.
func (h *Handler) Schema(gvk schema.GroupVersionKind) (*spec.Schema, error) {
	obj, err := h.cfg.Scheme.New(gvk)
	if err != nil {
		return nil, fmt.Errorf("describe %v: %w", gvk, resolver.ErrSchemaNotFound)
	}
	d := definitions{scheme: h.cfg.Scheme, lists: newListTypes(h.cfg.Scheme), all: spec.Definitions{}}
	t := reflect.TypeOf(obj).Elem()
	d.ref(t)
	described, err := resolver.PopulateRefs(func(ref string) (*spec.Schema, bool) {
		s, ok := d.all[strings.TrimPrefix(ref, "#/definitions/")]
		return &s, ok
	}, modelName(t))
	if err != nil {
		return nil, fmt.Errorf("describe %v: %w", gvk, err)
	}
	return described, nil
}
