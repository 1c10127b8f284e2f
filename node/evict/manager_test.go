package evict_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/evict"
)

// node is all that a manager sees: how much is free, what runs, and what that takes.
type node struct {
	mu       sync.Mutex
	free     int64
	pods     []*v1.Pod
	takes    map[types.UID]int64
	garbage  int64
	signal   evict.Signal
	story    []string
	happened chan struct{}
}

func (n *node) tell(format string, args ...any) {
	n.story = append(n.story, fmt.Sprintf(format, args...))
	select {
	case n.happened <- struct{}{}:
	default:
	}
}

func (n *node) Levels(context.Context) evict.Levels {
	n.mu.Lock()
	defer n.mu.Unlock()
	free := n.free
	for _, takes := range n.takes {
		free -= takes
	}
	return evict.Levels{n.signal: {Available: free - n.garbage, Capacity: n.free}}
}

func (n *node) Usage(_ context.Context, pods []*v1.Pod, disk bool) ([]evict.Usage, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []evict.Usage
	for _, p := range pods {
		all = append(all, evict.Usage{Pod: p, Known: true, Memory: n.takes[p.UID], Rest: evict.Disk{Bytes: n.takes[p.UID]}})
	}
	return all, nil
}

func (n *node) ImagesApart(context.Context) (bool, error) { return false, nil }

func (n *node) Active() []*v1.Pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.pods)
}

func (n *node) Evict(e evict.Eviction) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.takes, e.Pod.UID)
	n.pods = slices.DeleteFunc(n.pods, func(p *v1.Pod) bool { return p.UID == e.Pod.UID })
	n.tell("evict %s", e.Pod.Name)
}

func (n *node) Runs(uid types.UID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.pods, func(p *v1.Pod) bool { return p.UID == uid })
}

func (n *node) Event(p *v1.Pod, _, kind, reason, _ string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell("%s %s %s", p.Name, kind, reason)
}

func (n *node) NodeEvent(kind, reason, message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell("node %s %s: %s", kind, reason, message)
}

func (n *node) add(name string, takes int64) {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
	n.pods, n.takes[p.UID] = append(n.pods, p), takes
}

// until runs a manager until the story is told that far.
func (n *node) until(t *testing.T, policy evict.Policy, last string) (*evict.Manager, string) {
	t.Helper()
	n.happened = make(chan struct{}, 1)
	m := evict.NewManager(evict.Config{
		NodeName: "n", Policy: policy, Meter: n, Pods: n, Events: n, Changed: func() {}, Log: slog.New(slog.DiscardHandler),
		Reclaim: func(context.Context) error {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.garbage = 0
			n.tell("reclaim")
			return errors.New("an image stays")
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	for told := false; !told; {
		select {
		case <-n.happened:
		case <-ctx.Done():
			t.Fatalf("no %q: %v", last, n.story)
		}
		n.mu.Lock()
		told = slices.Contains(n.story, last)
		n.mu.Unlock()
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return m, strings.Join(n.story, "\n")
}

func policy(t *testing.T, hard string) evict.Policy {
	t.Helper()
	p, err := evict.Settings{Hard: hard}.Policy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Pods go one by one, each waited for, until enough is free.
func TestManagerEvictsUntilRelieved(t *testing.T) {
	n := &node{free: 1000, takes: map[types.UID]int64{}, signal: evict.MemoryAvailable}
	n.add("small", 200)
	n.add("large", 400)
	n.add("middle", 300)
	m, story := n.until(t, policy(t, "memory.available<450"), "evict large")
	want := `node Normal NodeHasInsufficientMemory: Node n status is now: NodeHasInsufficientMemory
node Warning EvictionThresholdMet: Attempting to reclaim memory
large Warning Evicted
evict large`
	if story != want {
		t.Errorf("story is\n%s", story)
	}
	if refused := m.Admit(&v1.Pod{}); refused == nil {
		t.Error("a pod may start that asks for nothing")
	}
}

// Where garbage was all, no pod goes.
func TestManagerReclaimsFirst(t *testing.T) {
	n := &node{free: 1000, garbage: 500, takes: map[types.UID]int64{}, signal: evict.NodeFSAvailable}
	n.add("pod", 300)
	_, story := n.until(t, policy(t, "nodefs.available<30%"), "reclaim")
	want := `node Normal NodeHasDiskPressure: Node n status is now: NodeHasDiskPressure
node Warning EvictionThresholdMet: Attempting to reclaim ephemeral-storage
reclaim`
	if story != want {
		t.Errorf("story is\n%s", story)
	}
	n = &node{free: 1000, garbage: 100, takes: map[types.UID]int64{}, signal: evict.NodeFSAvailable}
	n.add("pod", 800)
	if _, story = n.until(t, policy(t, "nodefs.available<30%"), "evict pod"); !strings.Contains(story, "reclaim\npod Warning Evicted\nevict pod") {
		t.Errorf("story is\n%s", story)
	}
}
