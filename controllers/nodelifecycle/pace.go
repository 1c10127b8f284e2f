package nodelifecycle

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Upstream's rates. When many nodes of a zone are unready at once, it is rather their network than they that is broken.
const (
	normalPace  = 10 * time.Second  // between two nodes of a zone whose pods begin to be evicted
	reducedPace = 100 * time.Second // in a large zone that is partly disrupted; in a small one nothing is evicted
	largeZone   = 50                // nodes
	disrupted   = 0.55              // share of unready nodes, when there are at least three
)

// eviction says what may be done about the pods of an unready node.
type eviction uint8

const (
	stopEviction eviction = iota // not even taints that are there stay
	keepEviction                 // what is tainted stays so
	mayEvict                     // after a pause
)

// zoneOf names the failure domain of a node.
func zoneOf(node *corev1.Node) string {
	return node.Labels[corev1.LabelTopologyRegion] + "/" + node.Labels[corev1.LabelTopologyZone]
}

// decidePace looks at the whole cluster: whether pods of a zone's unready nodes may be evicted, and how long to pause
// between two nodes.
func decidePace(nodes []*corev1.Node, zone string) (eviction, time.Duration) {
	ready, zoneSize, zoneUnready := 0, 0, 0
	for _, node := range nodes {
		isReady := readiness(node) == corev1.ConditionTrue
		if isReady {
			ready++
		}
		if zoneOf(node) == zone {
			zoneSize++
			if !isReady {
				zoneUnready++
			}
		}
	}
	partly := zoneUnready < zoneSize && zoneUnready > 2 && float64(zoneUnready) >= disrupted*float64(zoneSize)
	switch {
	case ready == 0:
		return stopEviction, 0
	case !partly:
		return mayEvict, normalPace
	case zoneSize > largeZone:
		return mayEvict, reducedPace
	}
	return keepEviction, 0
}

// pace keeps the time between two nodes of a zone.
type pace struct {
	mu struct {
		sync.Mutex
		next map[string]time.Time // by zone
	}
}

func newPace() *pace {
	p := &pace{}
	p.mu.next = map[string]time.Time{}
	return p
}

// take is 0 when it is a node's turn, and how long it has to wait otherwise.
func (p *pace) take(zone string, pause time.Duration, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.mu.next[zone].Sub(now); wait > 0 {
		return wait
	}
	p.mu.next[zone] = now.Add(pause)
	return 0
}
