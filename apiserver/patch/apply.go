package patch

import (
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"proa/kinds/resource"
)

// apply merges an applied configuration into old (nil: there is no object yet), with ownership of fields.
func (f *Fields) apply(p *Patch, old resource.Object, _ time.Time) (resource.Object, error) {
	r := p.Version.Resource
	config := &unstructured.Unstructured{Object: map[string]any{}}
	if err := yaml.Unmarshal(p.Body, &config.Object); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if got := config.GroupVersionKind(); got.Kind != p.Version.Kind.Kind || got.GroupVersion() != p.Version.Kind.GroupVersion() {
		if got.GroupVersion() != p.Version.Kind.GroupVersion() {
			return nil, apierrors.NewBadRequest(fmt.Sprintf(
				"Incorrect version specified in apply patch. Specified patch version: %s, expected: %s", got.GroupVersion(), p.Version.Kind.GroupVersion()))
		}
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s", got.Kind, got.Version, p.Version.Kind.Kind))
	}
	config.SetGroupVersionKind(r.GroupVersionKind())
	live := old
	if live == nil {
		live = r.New()
		live.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
	}
	m, err := f.manager(r, p.Subresource)
	if err != nil {
		return nil, err
	}
	merged, err := m.Apply(live, config, p.Manager, p.Force)
	if err != nil {
		return nil, applyError(err)
	}
	if p.checks() {
		if err := yaml.UnmarshalStrict(p.Body, &map[string]any{}); err != nil {
			if fatal := p.strict([]error{err}); fatal != nil {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("error strict decoding YAML: %v", err))
			}
		}
	}
	return f.typed(r, merged, old)
}

// typed turns what upstream's keeper merged into the kind's Go type. It gives back live itself when nothing changed.
func (f *Fields) typed(r *resource.Resource, merged runtime.Object, old resource.Object) (resource.Object, error) {
	switch m := merged.(type) {
	case *unstructured.Unstructured:
		obj := r.New()
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m.Object, obj); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return obj, nil
	case resource.Object:
		if old != nil && m == old {
			return m.DeepCopyObject().(resource.Object), nil
		}
		return m, nil
	}
	return nil, fmt.Errorf("apply: unexpected %T", merged)
}

// applyError is the client's mistake unless it is a Status already: upstream's keeper words them for users.
func applyError(err error) error {
	if _, ok := err.(apierrors.APIStatus); ok { //nolint:errorlint // the keeper wraps none
		return err
	}
	if strings.Contains(err.Error(), "failed to create typed patch object") {
		return apierrors.NewInternalError(err)
	}
	return err
}
