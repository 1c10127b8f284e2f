package daemonset

import (
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The delays before failed pods of one node are deleted again, as upstream's.
const (
	minPatience = time.Second
	maxPatience = 15 * time.Minute
)

// patience remembers how often failed pods of a node were deleted lately. It is a cache: what it has forgotten is tried at
// once. All methods may be called from several goroutines.
type patience struct {
	mu struct {
		sync.Mutex
		entries map[patienceKey]patienceEntry
	}
}

// patienceKey names the generation too: a daemon set that was changed gets a new chance.
type patienceKey struct {
	set        types.UID
	generation int64
	node       string
}

type patienceEntry struct {
	delay time.Duration
	since time.Time
}

func newPatience() *patience {
	p := &patience{}
	p.mu.entries = map[patienceKey]patienceEntry{}
	return p
}

func keyOf(set *appsv1.DaemonSet, node string) patienceKey {
	return patienceKey{set.UID, set.Status.ObservedGeneration, node}
}

// left is how long a failed pod of the node is to be left alone.
func (p *patience) left(key patienceKey, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, ok := p.mu.entries[key]
	if !ok {
		return 0
	}
	return max(0, entry.since.Add(entry.delay).Sub(now))
}

// lost notes that a failed pod of the node was deleted, and forgets what was long ago.
func (p *patience) lost(key patienceKey, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, entry := range p.mu.entries {
		if now.Sub(entry.since) > 2*maxPatience {
			delete(p.mu.entries, k)
		}
	}
	delay := minPatience
	if entry, ok := p.mu.entries[key]; ok {
		delay = min(2*entry.delay, maxPatience)
	}
	p.mu.entries[key] = patienceEntry{delay, now}
}
