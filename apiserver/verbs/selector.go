package verbs

import (
	"fmt"
	"hash/maphash"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

// selector picks the objects of a list or watch.
type selector struct {
	labels   labels.Selector // nil: all
	equals   []pair          // what labels ask for, if that is only that some have certain values
	hint     uint64          // of equals: see hintOf
	fields   fields.Selector // nil: all
	name     string          // the one name that can match, or ""
	version  *encode.Version
	resource *resource.Resource
	bare     bool // fields only name metadata
}

// pair is a label and its value. Most selectors are a few of them, and a map is asked for each far quicker than through
// labels.Selector: a list looks at every object of a table.
type pair struct{ key, value string }

// pairsOf is nil if the selector asks for anything else.
func pairsOf(s labels.Selector) []pair {
	requirements, _ := s.Requirements()
	pairs := make([]pair, 0, len(requirements))
	for _, r := range requirements {
		switch r.Operator() {
		case selection.Equals, selection.DoubleEquals, selection.In:
		default:
			return nil
		}
		values := r.ValuesUnsorted()
		if len(values) != 1 {
			return nil
		}
		pairs = append(pairs, pair{r.Key(), values[0]})
	}
	return pairs
}

// hinted is set in every hint, so that none is 0.
const hinted = 1 << 63

var hintSeed = maphash.MakeSeed()

// hint is two of 63 bits.
func (p pair) hint() uint64 {
	h := maphash.Comparable(hintSeed, p)
	return 1<<(h%63) | 1<<((h>>32)%63)
}

// hintOf has the bits of all the object's labels, as a Bloom filter: an object without the bits of a pair has not the pair.
func hintOf(item *store.Item) uint64 {
	hint := uint64(hinted)
	if obj, ok := item.Value().(resource.Object); ok {
		for key, value := range obj.GetLabels() {
			hint |= pair{key, value}.hint()
		}
	}
	return hint
}

func parseSelector(version *encode.Version, labelText, fieldText, name string) (*selector, error) {
	s := &selector{version: version, resource: version.Resource, name: name, bare: true}
	if labelText != "" {
		parsed, err := labels.Parse(labelText)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if !parsed.Empty() {
			s.labels, s.equals = parsed, pairsOf(parsed)
			for _, want := range s.equals {
				s.hint |= want.hint()
			}
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
	one, ok := parsed.RequiresExactMatch("metadata.name")
	if s.name != "" && (!ok || s.name != one) {
		return nil, apierrors.NewBadRequest("fieldSelector metadata.name doesn't match requested name")
	}
	if ok {
		s.name = one
	}
	s.fields = parsed
	return s, nil
}

// key is what the row calls a field that a client selects by.
func (s *selector) key(version *encode.Version, label string) (string, error) {
	if label == "metadata.name" || label == "metadata.namespace" && (s.resource.Namespaced || len(s.resource.FieldLabels) == 0 && s.resource.Custom == nil) {
		return label, nil
	}
	if key, known := version.Field(label); known {
		s.bare = false
		return key, nil
	}
	if s.resource.FieldRefusal != "" {
		return "", fmt.Errorf(s.resource.FieldRefusal, label)
	}
	if len(s.resource.FieldLabels) > 0 || s.resource.Custom != nil {
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
	if s.hint != 0 && !s.callsOut() && item.Hint(hintOf)&s.hint != s.hint {
		return false
	}
	obj, err := s.version.Selectable(item, !s.bare)
	if err != nil {
		return false
	}
	if s.labels != nil && !s.matchesLabels(obj.GetLabels()) {
		return false
	}
	return s.fields == nil || s.fields.Matches(s.fieldSet(obj))
}

// callsOut: labels may not be what is stored, for a webhook converts objects.
func (s *selector) callsOut() bool { return s.resource.Custom != nil && s.resource.Custom.CallsOut }

func (s *selector) matchesLabels(have map[string]string) bool {
	if s.equals == nil {
		return s.labels.Matches(labels.Set(have))
	}
	for _, want := range s.equals {
		if value, ok := have[want.key]; !ok || value != want.value {
			return false
		}
	}
	return true
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
