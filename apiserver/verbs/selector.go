package verbs

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

// selector picks the objects of a list or watch.
type selector struct {
	labels   labels.Selector // nil: all
	fields   fields.Selector // nil: all
	name     string          // the one name that can match, or ""
	resource *resource.Resource
	bare     bool // fields only name metadata
}

func parseSelector(version *encode.Version, labelText, fieldText, name string) (*selector, error) {
	s := &selector{resource: version.Resource, name: name, bare: true}
	if labelText != "" {
		parsed, err := labels.Parse(labelText)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if !parsed.Empty() {
			s.labels = parsed
		}
	}
	if fieldText == "" {
		return s, nil
	}
	parsed, err := fields.ParseSelector(fieldText)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if parsed.Empty() {
		return s, nil
	}
	parsed, err = parsed.Transform(func(label, value string) (string, string, error) {
		label, err := s.key(version, label)
		return label, value, err
	})
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if one, ok := parsed.RequiresExactMatch("metadata.name"); ok {
		if s.name != "" && s.name != one {
			return nil, apierrors.NewBadRequest("fieldSelector metadata.name doesn't match requested name")
		}
		s.name = one
	}
	s.fields = parsed
	return s, nil
}

// key is what the row calls a field that a client selects by.
func (s *selector) key(version *encode.Version, label string) (string, error) {
	if label == "metadata.name" || label == "metadata.namespace" && s.resource.Namespaced {
		return label, nil
	}
	if key, known := version.Field(label); known {
		s.bare = false
		return key, nil
	}
	if len(s.resource.FieldLabels) > 0 {
		return "", fmt.Errorf("field label not supported: %s", label)
	}
	return "", fmt.Errorf("%q is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", label)
}

// all: every object matches.
func (s *selector) all() bool { return s.labels == nil && s.fields == nil && s.name == "" }

func (s *selector) matches(item *store.Item) bool {
	if s.name != "" && item.Key.Name != s.name {
		return false
	}
	if s.labels == nil && s.fields == nil {
		return true
	}
	obj, ok := item.Value().(resource.Object)
	if !ok {
		return false
	}
	if s.labels != nil && !s.labels.Matches(labels.Set(obj.GetLabels())) {
		return false
	}
	return s.fields == nil || s.fields.Matches(s.fieldSet(obj))
}

func (s *selector) fieldSet(obj resource.Object) fields.Set {
	set := fields.Set{"metadata.name": obj.GetName(), "metadata.namespace": obj.GetNamespace()}
	if !s.bare && s.resource.Fields != nil {
		for k, v := range s.resource.Fields(obj) {
			set[k] = v
		}
	}
	return set
}
