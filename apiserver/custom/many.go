package custom

import (
	"sync"

	internal "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/common"
)

const (
	// few is how many values are validated together while it is not known how many of them are wrong.
	few = 1000
	// mostErrors is how many errors the library may find in one object. It compares each with all before.
	mostErrors = 1000
)

// part is a schema within a schema, for values that are validated in parts.
type part struct {
	validator  func() (validation.SchemaValidator, error)
	properties map[string]*part
	items      *part
	values     *part   // of additionalProperties
	branches   []*part // what allOf, anyOf and oneOf say
}

func partOf(props *internal.JSONSchemaProps) *part {
	if props == nil {
		return nil
	}
	p := &part{validator: sync.OnceValues(func() (validation.SchemaValidator, error) {
		v, _, err := validation.NewSchemaValidator(props)
		return v, err
	})}
	if len(props.Properties) > 0 {
		p.properties = make(map[string]*part, len(props.Properties))
	}
	for name := range props.Properties {
		inner := props.Properties[name]
		p.properties[name] = partOf(&inner)
	}
	if props.Items != nil {
		p.items = partOf(props.Items.Schema)
	}
	if props.AdditionalProperties != nil {
		p.values = partOf(props.AdditionalProperties.Schema)
	}
	for _, branches := range [][]internal.JSONSchemaProps{props.AllOf, props.AnyOf, props.OneOf} {
		for i := range branches {
			p.branches = append(p.branches, partOf(&branches[i]))
		}
	}
	return p
}

// tooMany finds the errors of an object that has more than the library could list in good time, or nothing: a list of a million
// items that are all wrong would keep it busy for hours. Objects of few values cost a count. same says what was there before:
// what did not change is not looked at.
func (s *compiled) tooMany(content map[string]any, same *common.CorrelatedObject) field.ErrorList {
	if count(content, few) <= few {
		return nil
	}
	l := looker{}
	if err := l.look(s.parts(), nil, content, same); err != nil {
		return field.ErrorList{field.InternalError(nil, err)}
	}
	if len(l.errs) <= mostErrors {
		return nil
	}
	return append(l.errs[:mostErrors], field.TooMany(nil, len(l.errs), mostErrors))
}

type looker struct{ errs field.ErrorList }

func (l *looker) look(p *part, path *field.Path, value any, same *common.CorrelatedObject) error {
	if p == nil || len(l.errs) > mostErrors || same != nil && same.CachedDeepEqual() {
		return nil
	}
	if count(value, few) <= few {
		v, err := p.validator()
		if err == nil {
			l.errs = append(l.errs, validation.ValidateCustomResource(path, value, v)...)
		}
		return err
	}
	for _, branch := range p.branches {
		if err := l.look(branch, path, value, same); err != nil {
			return err
		}
	}
	return l.into(p, path, value, same)
}

// into looks at what is in a value.
func (l *looker) into(p *part, path *field.Path, value any, same *common.CorrelatedObject) error {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			schema, at := p.properties[name], path.Child(name)
			if schema == nil {
				schema, at = p.values, path.Key(name)
			}
			if err := l.look(schema, at, inner, same.Key(name)); err != nil {
				return err
			}
		}
	case []any:
		for i, inner := range value {
			if err := l.look(p.items, path.Index(i), inner, same.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// count is how many values are in a value, itself included, as far as limit and some.
func count(value any, limit int) int {
	all := 1
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			if all += count(inner, limit-all); all > limit {
				break
			}
		}
	case []any:
		for _, inner := range value {
			if all += count(inner, limit-all); all > limit {
				break
			}
		}
	}
	return all
}
