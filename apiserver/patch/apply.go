package patch

import (
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"proa/kinds/resource"
)

// apply merges an applied configuration into old (nil: there is no object yet), with ownership of fields.
func (f *Fields) apply(p *Patch, old resource.Object, now time.Time) (resource.Object, error) {
	r := p.Version.Resource
	config := &unstructured.Unstructured{Object: map[string]any{}}
	body, err := yaml.YAMLToJSON(p.Body)
	if err == nil {
		err = json.Unmarshal(body, &config.Object) // keeps whole numbers whole
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if got := config.GroupVersionKind(); got.Version == "" && got.Kind == "" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid object type: %v", got))
	} else if got.Kind != p.Version.Kind.Kind || got.GroupVersion() != p.Version.Kind.GroupVersion() {
		if got.GroupVersion() != p.Version.Kind.GroupVersion() {
			return nil, apierrors.NewBadRequest(fmt.Sprintf(
				"Incorrect version specified in apply patch. Specified patch version: %s, expected: %s", got.GroupVersion(), p.Version.Kind.GroupVersion()))
		}
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s", got.Kind, got.Version, p.Version.Kind.Kind))
	}
	if !p.Version.OwnFields() {
		p.Version.ConfigToStored(config.Object)
		config.SetGroupVersionKind(r.GroupVersionKind())
	}
	live := old
	if live == nil {
		live = r.New()
		live.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
	}
	m, err := f.manager(p.Version, p.Subresource)
	if err != nil {
		return nil, err
	}
	merged, err := m.Apply(live, config, p.Manager, p.Force)
	if err != nil {
		return nil, err
	}
	if err := p.repeats(); err != nil {
		return nil, err
	}
	obj, err := ownObject(merged, old)
	if err == nil {
		p.Version.DefaultStored(obj)
		setTime(obj, old, p, now)
	}
	return obj, err
}

// repeats tells of keys that an applied configuration has twice.
func (p *Patch) repeats() error {
	if !p.checks() {
		return nil
	}
	err := yaml.UnmarshalStrict(p.Body, &map[string]any{})
	if err == nil || p.strict([]error{err}) == nil {
		return nil
	}
	return apierrors.NewBadRequest(fmt.Sprintf("error strict decoding YAML: %v", err))
}

// setTime replaces the time that upstream's keeper read from the machine's clock, if it did: an apply that changes nothing
// leaves the manager's time, if there is one.
func setTime(obj, old resource.Object, p *Patch, now time.Time) {
	mine := func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == p.Manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == p.Subresource
	}
	var before *metav1.Time
	if old != nil {
		if i := slices.IndexFunc(old.GetManagedFields(), mine); i >= 0 {
			before = old.GetManagedFields()[i].Time
		}
	}
	entries := obj.GetManagedFields()
	for i := range entries {
		if mine(entries[i]) && !entries[i].Time.Equal(before) {
			entries[i].Time = new(metav1.NewTime(now.UTC()).Rfc3339Copy())
		}
	}
	obj.SetManagedFields(entries)
}

// ownObject is what upstream's keeper merged as an object of the caller's own: the keeper gives back the stored one when nothing
// changed.
func ownObject(merged runtime.Object, old resource.Object) (resource.Object, error) {
	obj, ok := merged.(resource.Object)
	if !ok {
		return nil, fmt.Errorf("apply: unexpected %T", merged)
	}
	if old != nil && obj == old {
		return obj.DeepCopyObject().(resource.Object), nil
	}
	return obj, nil
}
