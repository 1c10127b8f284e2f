package nodelifecycle

import (
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
)

// heartbeats know when each node last gave a sign of life, by the clock of this machine: what a node writes in its lease
// is only compared for being different, so that its own clock need not be right. It is a cache: after a restart every
// node has its time of grace anew.
type heartbeats struct {
	mu struct {
		sync.Mutex
		nodes map[string]heartbeat
	}
}

type heartbeat struct {
	renewed  time.Time // as the lease says
	reported time.Time // as the node's status says
	seen     time.Time // when either changed last
}

func newHeartbeats() *heartbeats {
	h := &heartbeats{}
	h.mu.nodes = map[string]heartbeat{}
	return h
}

// observe notes the state of a node and returns when it gave its last sign of life.
func (h *heartbeats) observe(node *corev1.Node, lease *coordinationv1.Lease, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	beat, known := h.mu.nodes[node.Name]
	next := heartbeat{seen: beat.seen}
	if lease != nil && lease.Spec.RenewTime != nil {
		next.renewed = lease.Spec.RenewTime.Time
	}
	if c := condition(node.Status.Conditions, corev1.NodeReady); c != nil {
		next.reported = c.LastHeartbeatTime.Time
	}
	if !known || !next.renewed.Equal(beat.renewed) || !next.reported.Equal(beat.reported) {
		next.seen = now
	}
	h.mu.nodes[node.Name] = next
	return next.seen
}

func (h *heartbeats) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.nodes, name)
}
