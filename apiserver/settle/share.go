package settle

import (
	"bytes"
	"maps"
	"reflect"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// worthACopy is how many bytes a list or a target of a pointer must be able to take from another one to be copied for it.
const worthACopy = 64

// list is how Go lays out a slice of anything.
type list struct {
	data     unsafe.Pointer
	len, cap int
}

// share makes what v points at hold the memory of what w points at wherever both say the same. Both are of the plan's type.
// It writes to that memory alone: what v refers to may be known to others, so where only a part of it is the same, v gets a
// copy of its own that takes this part.
//
// It runs for each write, and by reflection it took as long as a tenth of one.
func (p *plan) share(v, w unsafe.Pointer) {
	if p.way == byFields {
		for i := range p.fields {
			if f := &p.fields[i]; !f.own {
				f.plan.share(unsafe.Add(v, f.offset), unsafe.Add(w, f.offset))
			}
		}
		return
	}
	same, gain := p.compare(v, w)
	switch {
	case gain == 0:
	case same:
		p.take(v, w)
	case gain >= worthACopy && p.way == byPointer:
		was, to := reflect.NewAt(p.goType, v).Elem(), reflect.New(p.goType.Elem())
		to.Elem().Set(was.Elem())
		was.Set(to)
		p.elem.share(to.UnsafePointer(), *(*unsafe.Pointer)(w))
	case gain >= worthACopy && p.way == byElements:
		was := reflect.NewAt(p.goType, v).Elem()
		to := reflect.MakeSlice(p.goType, was.Len(), was.Len())
		reflect.Copy(to, was)
		was.Set(to)
		a, b := (*list)(v), (*list)(w)
		for i := range min(a.len, b.len) {
			at := uintptr(i) * p.elem.size
			p.elem.share(unsafe.Add(a.data, at), unsafe.Add(b.data, at))
		}
	}
}

// take makes v refer to what w refers to.
func (p *plan) take(v, w unsafe.Pointer) {
	switch p.way {
	case byText:
		*(*string)(v) = *(*string)(w)
	case byPointer, byTexts, byAmounts: // a map is a pointer, too
		*(*unsafe.Pointer)(v) = *(*unsafe.Pointer)(w)
	case byElements, byBytes:
		taken := *(*list)(w)
		taken.cap = taken.len // who appends to one does not write into the other
		*(*list)(v) = taken
	}
}

// compare says whether v and w say the same, and how many bytes v would save by taking from w.
func (p *plan) compare(v, w unsafe.Pointer) (same bool, gain int) {
	switch p.way {
	case byFields:
		return p.compareFields(v, w)
	case byPointer:
		a, b := *(*unsafe.Pointer)(v), *(*unsafe.Pointer)(w)
		if a == nil || b == nil || a == b {
			return a == b, 0
		}
		return gained(int(p.elem.size))(p.elem.compare(a, b))
	case byElements:
		return p.compareLists((*list)(v), (*list)(w))
	case byMemory:
		return bytes.Equal(unsafe.Slice((*byte)(v), p.size), unsafe.Slice((*byte)(w), p.size)), 0
	case byText:
		a, b := *(*string)(v), *(*string)(w)
		return saved(a == b, unsafe.StringData(a) == unsafe.StringData(b), len(a))
	case byBytes:
		a, b := *(*[]byte)(v), *(*[]byte)(w)
		return saved((a == nil) == (b == nil) && bytes.Equal(a, b), unsafe.SliceData(a) == unsafe.SliceData(b), len(a))
	case byClock:
		return *(*metav1.Time)(v) == *(*metav1.Time)(w), 0
	case byAmount:
		return sameAmount(*(*resource.Quantity)(v), *(*resource.Quantity)(w)), 0
	case byTexts:
		a, b := *(*map[string]string)(v), *(*map[string]string)(w)
		return saved((a == nil) == (b == nil) && maps.Equal(a, b), *(*unsafe.Pointer)(v) == *(*unsafe.Pointer)(w), mapSize)
	case byAmounts:
		a, b := *(*corev1.ResourceList)(v), *(*corev1.ResourceList)(w)
		return saved((a == nil) == (b == nil) && maps.EqualFunc(a, b, sameAmount), *(*unsafe.Pointer)(v) == *(*unsafe.Pointer)(w), mapSize)
	case byAbsence:
		return *(*unsafe.Pointer)(v) == nil && *(*unsafe.Pointer)(w) == nil, 0
	}
	return false, 0
}

// mapSize is what a small map takes, in bytes.
const mapSize = 256

// saved is compare's answer about two things of which one needs no memory when they say the same.
func saved(same, isOne bool, size int) (bool, int) {
	if !same || isOne {
		return same, 0
	}
	return true, size
}

// gained adds the size of what holds things to what they save, if all of them are the same.
func gained(size int) func(same bool, gain int) (bool, int) {
	return func(same bool, gain int) (bool, int) {
		if same {
			gain += size
		}
		return same, gain
	}
}

func (p *plan) compareFields(v, w unsafe.Pointer) (same bool, gain int) {
	same = true
	for i := range p.fields {
		f := &p.fields[i]
		if f.own {
			same = false
			continue
		}
		one, more := f.plan.compare(unsafe.Add(v, f.offset), unsafe.Add(w, f.offset))
		same, gain = same && one, gain+more
	}
	return same, gain
}

func (p *plan) compareLists(v, w *list) (same bool, gain int) {
	same = v.len == w.len && (v.data == nil) == (w.data == nil)
	if v.data == w.data {
		return same, 0
	}
	for i := range min(v.len, w.len) {
		at := uintptr(i) * p.elem.size
		one, more := p.elem.compare(unsafe.Add(v.data, at), unsafe.Add(w.data, at))
		same, gain = same && one, gain+more
	}
	return gained(v.len*int(p.elem.size))(same, gain)
}

// sameAmount takes copies, because a comparison may rewrite what it compares.
func sameAmount(a, b resource.Quantity) bool { return a.Format == b.Format && a.Cmp(b) == 0 }
