package patch

import (
	"encoding/json"
	"reflect"
	"strings"
)

// merge applies a strategic merge patch to a copy of an object, in place. It gives false, having changed the copy or not, where
// the patch does more than set and unset fields, entries of maps, and elements of lists that are there: for directives, what
// changes the order of a list, and what has a fault, the library knows what to do (TestMergeLikeLibrary).
func (p *plan) merge(to reflect.Value, patch map[string]any) bool {
	for name, value := range patch {
		f := p.named(name, false)
		if f == nil || !f.merge(to.FieldByIndex(f.index), value) {
			return false
		}
	}
	return true
}

func (f *fieldPlan) merge(to reflect.Value, value any) bool {
	list, isList := value.([]any)
	switch {
	case value == nil:
		to.SetZero()
		return true
	case f.mergeKey != nil:
		return isList && f.mergeList(to, list)
	case isList:
		return false
	}
	return f.plan.mergeValue(to, value)
}

func (p *plan) mergeValue(to reflect.Value, value any) bool {
	if to.Kind() == reflect.Pointer {
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		to = to.Elem()
	}
	fields, isMap := value.(map[string]any)
	switch p.shape {
	case structShape:
		return isMap && to.Kind() == reflect.Struct && p.merge(to, fields)
	case mapShape:
		return isMap && to.Kind() == reflect.Map && p.mergeMap(to, fields)
	case leafShape:
		return setScalar(to, value)
	}
	return false
}

func (p *plan) mergeMap(to reflect.Value, entries map[string]any) bool {
	if to.IsNil() {
		to.Set(reflect.MakeMapWithSize(to.Type(), len(entries)))
	}
	for key, value := range entries {
		if strings.HasPrefix(key, "$") {
			return false
		}
		k := reflect.ValueOf(key).Convert(to.Type().Key())
		if value == nil {
			to.SetMapIndex(k, reflect.Value{})
			continue
		}
		entry := reflect.New(to.Type().Elem()).Elem()
		if had := to.MapIndex(k); had.IsValid() {
			entry.Set(had)
		}
		if !p.elem.mergeValue(entry, value) {
			return false
		}
		to.SetMapIndex(k, entry)
	}
	return true
}

// mergeList takes elements in the order in which the list has them, or all of a list that was empty.
func (f *fieldPlan) mergeList(to reflect.Value, elements []any) bool {
	had := to.Len()
	if len(elements) == 0 || to.Type().Elem().Kind() != reflect.Struct || repeatsKey(to, f.mergeKey) {
		return false
	}
	if had == 0 {
		to.Set(reflect.MakeSlice(to.Type(), len(elements), len(elements)))
	}
	last := -1
	for i, element := range elements {
		fields, ok := element.(map[string]any)
		if !ok {
			return false
		}
		at := i
		if had > 0 {
			if at = f.mergeKey.at(to, fields[f.mergeKey.name]); at <= last {
				return false
			}
		}
		last = at
		if !f.plan.elem.merge(to.Index(at), fields) {
			return false
		}
	}
	return had > 0 || !repeatsKey(to, f.mergeKey)
}

// at is where the element with a key stands in a list; -1 if none does.
func (k *keyPlan) at(list reflect.Value, key any) int {
	text, ok := key.(string)
	for i := 0; ok && i < list.Len(); i++ {
		if v := list.Index(i).FieldByIndex(k.index); v.Kind() == reflect.String && v.String() == text {
			return i
		}
	}
	return -1
}

// repeatsKey says whether two elements of a list have one key, or one has none.
func repeatsKey(list reflect.Value, k *keyPlan) bool {
	for i := range list.Len() {
		v := list.Index(i).FieldByIndex(k.index)
		if v.IsZero() {
			return true
		}
		for j := range i {
			if equal(v, list.Index(j).FieldByIndex(k.index)) {
				return true
			}
		}
	}
	return false
}

// setScalar sets what has no parts.
func setScalar(to reflect.Value, value any) bool {
	if own, ok := to.Addr().Interface().(json.Unmarshaler); ok {
		to.SetZero()
		switch value.(type) {
		case string, int64, float64:
			text, err := json.Marshal(value)
			return err == nil && own.UnmarshalJSON(text) == nil
		}
		return false
	}
	switch value := value.(type) {
	case string:
		if to.Kind() != reflect.String {
			return false
		}
		to.SetString(value)
	case bool:
		if to.Kind() != reflect.Bool {
			return false
		}
		to.SetBool(value)
	case int64:
		switch to.Kind() {
		case reflect.Int, reflect.Int32, reflect.Int64:
		default:
			return false
		}
		if to.OverflowInt(value) {
			return false
		}
		to.SetInt(value)
	default:
		return false
	}
	return true
}
