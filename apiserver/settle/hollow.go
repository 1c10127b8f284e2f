package settle

import "reflect"

func (p *plan) hollow(v reflect.Value) bool {
	if p.flat {
		return false
	}
	switch p.kind {
	case reflect.Struct:
		for _, f := range p.fields {
			if !f.plan.flat && f.plan.hollow(v.Field(f.at)) {
				return true
			}
		}
	case reflect.Pointer:
		return !v.IsNil() && p.elem.hollow(v.Elem())
	case reflect.Slice:
		n := v.Len()
		if n == 0 {
			return !v.IsNil()
		}
		for i := 0; !p.elem.flat && i < n; i++ {
			if p.elem.hollow(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		if v.Len() == 0 {
			return !v.IsNil()
		}
		bytes := p.elem.way == byBytes
		if p.elem.flat && !bytes {
			return false
		}
		for it := v.MapRange(); it.Next(); {
			if e := it.Value(); bytes && e.IsNil() || p.elem.hollow(e) {
				return true
			}
		}
	}
	return false
}
