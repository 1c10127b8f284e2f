// Package settle looks at objects when they are about to be published, for good: no one changes them from then on.
//
// It decides whether an object reads as its bytes say (Hollow), and makes it share what it has in common with another one
// (Share): the pods of a ReplicaSet differ in their names and little else, and so do two versions of one object. It owns what
// it has found out about Go types, and a few recent objects of each kind to share with. apiserver/verbs calls it for what is
// written, apiserver/encode for what is read from the log. When kinds or the store are gone it has nothing to do.
package settle

import (
	"reflect"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// Pool is what is known of types, and recent objects of each. The zero Pool is empty. Any goroutine may use it.
type Pool struct {
	mu    sync.RWMutex
	kinds map[reflect.Type]*kind
	plans map[reflect.Type]*plan
}

// kind is what a pool has for one type of object.
type kind struct {
	plan   *plan
	recent [recentCount]atomic.Pointer[resource.Object]
}

// recentCount is of how many owners a pool remembers the newest object of a kind.
const recentCount = 16

// Hollow says whether an object holds a list or map that is empty but there, or a map with bytes that are not there. Stored
// bytes do not tell the first from one that is not there, nor the other from bytes that are none, so such an object reads
// otherwise than it was written. Bytes of a field are told apart; custom objects are stored as they are.
func (p *Pool) Hollow(obj resource.Object) bool {
	if isCustom(obj) {
		return false
	}
	v := reflect.ValueOf(obj).Elem()
	return p.of(v.Type()).plan.hollow(v)
}

// Share makes obj, which is not yet published, share memory with old, its version before, or if that is nil with the object of
// its kind that was remembered last and has the same owner and namespace. Both say what they said before. Only obj itself is
// written to: what it refers to may be part of published objects. Custom objects are left alone.
func (p *Pool) Share(obj, old resource.Object) {
	if isCustom(obj) {
		return
	}
	v := reflect.ValueOf(obj).Elem()
	k := p.of(v.Type())
	if old == nil {
		if newest := k.recent[slotOf(obj)].Load(); newest != nil {
			old = *newest
		}
	}
	if old == nil {
		return
	}
	if w := reflect.ValueOf(old).Elem(); w.Type() == v.Type() {
		k.plan.share(v.Addr().UnsafePointer(), w.Addr().UnsafePointer())
	}
}

// Remember has others share with obj. It is published: nobody changes it any more, not even what names its revision.
func (p *Pool) Remember(obj resource.Object) {
	if !isCustom(obj) {
		p.of(reflect.TypeOf(obj).Elem()).recent[slotOf(obj)].Store(&obj)
	}
}

func isCustom(obj resource.Object) bool {
	_, ok := obj.(runtime.Unstructured)
	return ok
}

// slotOf spreads namespaces and owners over the slots.
func slotOf(obj resource.Object) uint32 {
	owner := ""
	if c := metav1.GetControllerOfNoCopy(obj); c != nil {
		owner = string(c.UID)
	}
	const prime = 16777619 // FNV-1a
	h := uint32(2166136261)
	for _, text := range [...]string{obj.GetNamespace(), owner} {
		for i := range len(text) {
			h = (h ^ uint32(text[i])) * prime
		}
	}
	return h % recentCount
}

func (p *Pool) of(t reflect.Type) *kind {
	p.mu.RLock()
	found := p.kinds[t]
	p.mu.RUnlock()
	if found != nil {
		return found
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.kinds[t]; found != nil {
		return found
	}
	if p.kinds == nil {
		p.kinds, p.plans = map[reflect.Type]*kind{}, map[reflect.Type]*plan{}
	}
	p.kinds[t] = &kind{plan: p.planLocked(t)}
	return p.kinds[t]
}
