package garbagecollector

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"proa/client"
)

// graph knows which objects name an owner by its UID. It only says which keys to look at when an owner changes: what is
// done is decided from a view. It is a cache, built from the objects that the host shows at its start; it holds nothing
// about objects without owners. Kept by the watches' goroutines.
type graph struct {
	mu struct {
		sync.Mutex
		dependents map[types.UID]map[client.Ref]struct{}
		owners     map[client.Ref][]types.UID
	}
}

func newGraph() *graph {
	g := &graph{}
	g.mu.dependents = map[types.UID]map[client.Ref]struct{}{}
	g.mu.owners = map[client.Ref][]types.UID{}
	return g
}

// set notes the owners of an object; none forgets it.
func (g *graph) set(ref client.Ref, owners []types.UID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.Equal(g.mu.owners[ref], owners) {
		return
	}
	for _, uid := range g.mu.owners[ref] {
		delete(g.mu.dependents[uid], ref)
		if len(g.mu.dependents[uid]) == 0 {
			delete(g.mu.dependents, uid)
		}
	}
	delete(g.mu.owners, ref)
	if len(owners) > 0 {
		g.mu.owners[ref] = owners
	}
	for _, uid := range owners {
		if g.mu.dependents[uid] == nil {
			g.mu.dependents[uid] = map[client.Ref]struct{}{}
		}
		g.mu.dependents[uid][ref] = struct{}{}
	}
}

// of lists the objects that name an owner, in no order.
func (g *graph) of(owner types.UID) []client.Ref {
	g.mu.Lock()
	defer g.mu.Unlock()
	refs := make([]client.Ref, 0, len(g.mu.dependents[owner]))
	for ref := range g.mu.dependents[owner] {
		refs = append(refs, ref)
	}
	return refs
}
