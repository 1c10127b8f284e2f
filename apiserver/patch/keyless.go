package patch

import (
	"reflect"

	"proa/kinds/resource"
)

// keyless says whether a part of the object that a write cannot change has a list with an element that leaves out all that
// would name it. Upstream reads that part too: it makes nothing of who owns the fields of such an object.
func (k *kindPlan) keyless(obj resource.Object, skip func(under, step string) bool) bool {
	for _, f := range k.loose {
		if skip("", f.step) && f.plan.keyless(reflect.ValueOf(obj).Elem().FieldByIndex(f.index)) {
			return true
		}
	}
	return false
}

func (p *plan) keyless(v reflect.Value) bool {
	v = target(v)
	if !v.IsValid() || isNull(v) {
		return false
	}
	switch p.shape {
	case structShape:
		for i := range p.fields {
			if f := &p.fields[i]; f.plan.keyless(v.FieldByIndex(f.index)) {
				return true
			}
		}
	case mapShape:
		for it := v.MapRange(); it.Next(); {
			if p.elem.keyless(it.Value()) {
				return true
			}
		}
	case keyedShape:
		for i := range v.Len() {
			if e := v.Index(i); p.unnamed(target(e)) || p.elem.keyless(e) {
				return true
			}
		}
	}
	return false
}

// unnamed says whether an element of a list leaves out all its keys, none of which has a default.
func (p *plan) unnamed(e reflect.Value) bool {
	for i := range p.keys {
		if k := &p.keys[i]; !k.omitEmpty || k.fallback != "" || !e.FieldByIndex(k.index).IsZero() {
			return false
		}
	}
	return true
}

// loose says whether values can hold a list with an element that is unnamed. seen are the plans on the way there.
func (p *plan) loose(seen map[*plan]bool) bool {
	if p == nil || seen[p] {
		return false
	}
	seen[p] = true
	if p.shape == keyedShape {
		free := true
		for i := range p.keys {
			free = free && p.keys[i].omitEmpty && p.keys[i].fallback == ""
		}
		if free {
			return true
		}
	}
	for i := range p.fields {
		if p.fields[i].plan.loose(seen) {
			return true
		}
	}
	return p.elem.loose(seen)
}
