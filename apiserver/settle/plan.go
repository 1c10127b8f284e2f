package settle

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// plan is how to go through values of one Go type, worked out once.
type plan struct {
	goType reflect.Type
	kind   reflect.Kind
	size   uintptr
	way    way
	flat   bool   // no list or map below, so never hollow
	fields []part // of a struct: the exported ones
	elem   *plan  // of pointers, lists and maps
}

// way is how two values are compared and shared.
type way uint8

const (
	never      way = iota // they are taken to differ
	byFields              // of structs that show all their fields
	byPointer             // by what they point at
	byElements            // of lists
	byMemory              // numbers
	byText                // strings
	byBytes               // byte slices
	byClock               // metav1.Time
	byAmount              // resource.Quantity
	byTexts               // map[string]string
	byAmounts             // corev1.ResourceList
	byAbsence             // the same only if both are nil: other maps, interfaces
)

type part struct {
	at     int
	offset uintptr
	plan   *plan
	own    bool // it is never shared
}

var (
	quantityType = reflect.TypeFor[resource.Quantity]()
	timeType     = reflect.TypeFor[metav1.Time]()
	amountsType  = reflect.TypeFor[corev1.ResourceList]()
	textsType    = reflect.TypeFor[map[string]string]()
	metaType     = reflect.TypeFor[metav1.ObjectMeta]()
)

// planLocked makes the plan of a type. A type that holds itself is taken for not flat.
func (p *Pool) planLocked(t reflect.Type) *plan {
	if found := p.plans[t]; found != nil {
		return found
	}
	found := &plan{goType: t, kind: t.Kind(), size: t.Size()}
	p.plans[t] = found
	switch {
	case t == quantityType:
		found.way, found.flat = byAmount, true
	case t == timeType:
		found.way, found.flat = byClock, true
	default:
		p.planKind(found, t)
	}
	return found
}

func (p *Pool) planKind(found *plan, t reflect.Type) {
	switch t.Kind() {
	case reflect.Struct:
		p.planStruct(found, t)
	case reflect.Pointer:
		found.elem, found.way = p.planLocked(t.Elem()), byPointer
		found.flat = found.elem.flat
	case reflect.Slice:
		found.elem, found.way = p.planLocked(t.Elem()), byElements
		if t.Elem().Kind() == reflect.Uint8 {
			found.way, found.flat = byBytes, true
		}
	case reflect.Map:
		found.elem, found.way = p.planLocked(t.Elem()), byAbsence
		switch t {
		case textsType:
			found.way = byTexts
		case amountsType:
			found.way = byAmounts
		}
	case reflect.Interface:
		found.way, found.flat = byAbsence, true
	case reflect.String:
		found.way, found.flat = byText, true
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		found.way, found.flat = byMemory, true
	default:
		found.flat = true
	}
}

func (p *Pool) planStruct(found *plan, t reflect.Type) {
	found.way, found.flat = byFields, true
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			found.way = never // what cannot be seen may differ
			continue
		}
		child := p.planLocked(f.Type)
		found.fields = append(found.fields, part{at: i, offset: f.Offset, plan: child,
			own: t == metaType && f.Name == "ManagedFields"}) // they point into the object's bytes
		found.flat = found.flat && child.flat
	}
}
