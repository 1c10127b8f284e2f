package custom

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds/resource"
)

// show turns stored objects into this version's: what they lack and have too much by the schema of the version that they
// were written in is set right, and then they are converted, all those that need it together.
func (v *version) show(stored []resource.Object) ([]resource.Object, error) {
	var different []*unstructured.Unstructured
	var places []int
	for i, obj := range stored {
		u := obj.(*unstructured.Unstructured)
		written, err := v.kind.versionOf(u)
		if err != nil {
			return nil, err
		}
		s, err := written.schema()
		if err != nil {
			return nil, err
		}
		if _, err := s.coerce(u, source{stored: true}); err != nil {
			return nil, fmt.Errorf("read %s %s/%s: %w", v.kind.name, u.GetNamespace(), u.GetName(), err)
		}
		s.fill(u)
		if written != v {
			different, places = append(different, u), append(places, i)
		}
	}
	if len(different) == 0 {
		return stored, nil
	}
	converted, err := v.kind.convert(different, v)
	if err != nil {
		return nil, err
	}
	for i, u := range converted {
		stored[places[i]] = u
	}
	return stored, nil
}

// convertOne turns an object of any version into one of another.
func (k *kind) convertOne(obj resource.Object, name string) (resource.Object, error) {
	u := obj.(*unstructured.Unstructured)
	from, err := k.versionOf(u)
	if err != nil {
		return nil, err
	}
	to := k.versions[name]
	switch {
	case to == nil:
		return nil, fmt.Errorf("request to convert CR to an invalid group/version: %s/%s", k.group, name)
	case to == from:
		return u, nil
	}
	converted, err := k.convert([]*unstructured.Unstructured{u}, to)
	if err != nil {
		return nil, err
	}
	return converted[0], nil
}

// convert turns objects, none of which is of version to, into that version. Fields that it has not are dropped.
func (k *kind) convert(objects []*unstructured.Unstructured, to *version) ([]*unstructured.Unstructured, error) {
	gv := to.row.GroupVersionKind().GroupVersion()
	if k.webhook == nil {
		for _, u := range objects {
			u.SetAPIVersion(gv.String())
		}
	} else {
		var err error
		if objects, err = k.webhook.convert(objects, gv); err != nil {
			return nil, err
		}
	}
	s, err := to.schema()
	if err != nil {
		return nil, err
	}
	for _, u := range objects {
		if _, err := s.coerce(u, source{}); err != nil {
			return nil, fmt.Errorf("convert %s %s/%s to %s: %w", k.name, u.GetNamespace(), u.GetName(), gv, err)
		}
	}
	return objects, nil
}

// versionOf is the version that an object is of.
func (k *kind) versionOf(u *unstructured.Unstructured) (*version, error) {
	gv, err := schema.ParseGroupVersion(u.GetAPIVersion())
	if err != nil {
		return nil, err
	}
	if v := k.versions[gv.Version]; v != nil && gv.Group == k.group {
		return v, nil
	}
	return nil, fmt.Errorf("request to convert CR from an invalid group/version: %s", gv)
}
