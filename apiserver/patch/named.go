package patch

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"proa/kinds/resource"
)

// Most patches name a few fields of a large object. To patch the whole in its JSON form costs ten times as much as the
// rest of the write, so what a patch does not name stays as it is: a sketch of the object holds the named fields alone, the
// library patches the sketch, and the fields are put into a copy of the object.

// sketch sets the fields of to, an empty struct, that the patch names. from keeps sharing them.
func (p *plan) sketch(to, from reflect.Value, patch map[string]any, strategic bool) (whole bool) {
	if strategic && p.directs(patch) {
		to.Set(from)
		return true
	}
	for name, value := range patch {
		field := p.named(name, strategic)
		if field == nil {
			continue // what the type does not know is found when the patch is decoded
		}
		f, t := from.FieldByIndex(field.index), to.FieldByIndex(field.index)
		inner, nested := value.(map[string]any)
		if !nested || field.plan.shape != structShape {
			t.Set(f)
			continue
		}
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			t.Set(reflect.New(f.Type().Elem()))
			f, t = f.Elem(), t.Elem()
		}
		field.plan.sketch(t, f, inner, strategic)
	}
	return false
}

// graft puts the fields that the patch names from the patched sketch into the object.
func (p *plan) graft(to, sketch reflect.Value, patch map[string]any, strategic bool) {
	for name, value := range patch {
		field := p.named(name, strategic)
		if field == nil {
			continue
		}
		s, t := sketch.FieldByIndex(field.index), to.FieldByIndex(field.index)
		inner, nested := value.(map[string]any)
		if !nested || field.plan.shape != structShape || strategic && field.plan.directs(inner) {
			t.Set(s)
			continue
		}
		if s.Kind() == reflect.Pointer {
			if s.IsNil() || t.IsNil() {
				t.Set(s)
				continue
			}
			s, t = s.Elem(), t.Elem()
		}
		field.plan.graft(t, s, inner, strategic)
	}
}

// directs says whether a strategic patch speaks of the whole object that it is for, not only of its fields; or of a field that
// is no list as of one, which it may name as an object beside that.
func (p *plan) directs(patch map[string]any) bool {
	for name := range patch {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		field := p.named(name, true)
		if name == "$patch" || name == "$retainKeys" || field != nil && field.plan.shape == structShape {
			return true
		}
	}
	return false
}

// named finds the field of a name in a patch. A strategic patch also names a list by "$setElementOrder/list".
func (p *plan) named(name string, strategic bool) *fieldPlan {
	if strategic && strings.HasPrefix(name, "$") {
		_, name, _ = strings.Cut(name, "/")
	}
	for i := range p.fields {
		if f := &p.fields[i]; f.step[len("f:"):] == name {
			return f
		}
	}
	return nil
}

// patchNamed patches the fields that a patch names. It gives nil where the whole object has to be patched, to be as
// upstream: for patches of the whole, and to word what is wrong with a patch.
func (f *Fields) patchNamed(p *Patch, shown resource.Object) resource.Object {
	r := p.Version.Resource
	if p.Version.Kind != r.GroupVersionKind() {
		return nil
	}
	plan, err := f.planOf(r)
	if err != nil || plan.shape != structShape {
		return nil
	}
	fields := map[string]any{}
	if strict, err := kjson.UnmarshalStrict(p.Body, &fields); err != nil || len(strict) > 0 {
		return nil
	}
	strategic := p.Kind == types.StrategicMergePatchType
	if _, typed := fields["kind"]; strategic && !typed && fields["apiVersion"] == nil {
		if obj := copyOf(shown); plan.merge(reflect.ValueOf(obj).Elem(), fields) {
			return obj
		}
	}
	sketch := p.Version.New()
	if plan.sketch(reflect.ValueOf(sketch).Elem(), reflect.ValueOf(shown).Elem(), fields, strategic) {
		return nil
	}
	sketch.GetObjectKind().SetGroupVersionKind(p.Version.Kind)
	patched := p.Version.New()
	merged := false
	if strategic {
		merged = mergeStrategic(fields, sketch, patched, plan.knows(fields))
	} else {
		merged = mergeSketch(p, sketch, patched)
	}
	if !merged || patched.GetObjectKind().GroupVersionKind() != p.Version.Kind {
		return nil
	}
	obj := copyOf(shown)
	plan.graft(reflect.ValueOf(obj).Elem(), reflect.ValueOf(patched).Elem(), fields, strategic)
	return obj
}

func copyOf(obj resource.Object) resource.Object { return obj.DeepCopyObject().(resource.Object) }

// knows says that the type has every field of the patch. What it cannot tell at a glance, it does not know.
func (p *plan) knows(patch any) bool {
	switch p.shape {
	case structShape:
		fields, ok := patch.(map[string]any)
		for name, value := range fields {
			field := p.named(name, false)
			if field == nil || !field.plan.knows(value) {
				return false
			}
		}
		return ok
	case mapShape:
		entries, ok := patch.(map[string]any)
		for _, value := range entries {
			if !p.elem.knows(value) {
				return false
			}
		}
		return ok
	case keyedShape, valuesShape:
		elements, ok := patch.([]any)
		for _, element := range elements {
			if !p.elem.knows(element) {
				return false
			}
		}
		return ok
	}
	switch patch.(type) {
	case map[string]any, []any:
		return false // atomic: its fields are not planned
	}
	return true
}

// mergeStrategic gives false when the patch is not free of faults. To look for fields that the type has not costs as much
// again as the rest: that is left out where all are known.
func mergeStrategic(fields map[string]any, sketch, patched resource.Object, known bool) bool {
	before, err := runtime.DefaultUnstructuredConverter.ToUnstructured(sketch)
	if err != nil {
		return false
	}
	fields = runtime.DeepCopyJSON(fields) // the library takes directives out of it
	after, err := merged(before, fields, sketch)
	return err == nil && runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(after, patched, !known) == nil
}

// mergeSketch gives false when the patch is not free of faults.
func mergeSketch(p *Patch, sketch, patched resource.Object) bool {
	before, err := json.Marshal(sketch)
	if err != nil {
		return false
	}
	after, err := merge(before, p.Body)
	if err != nil {
		return false
	}
	strict, err := kjson.UnmarshalStrict(after, patched)
	return err == nil && len(strict) == 0
}
