// Package usage knows what nodes and containers use at present: processor time as a rate between two looks, memory as it is.
//
// It decides when to look: every few seconds while somebody wants to know, and not at all otherwise; the first who asks
// waits for two looks. It owns the last look at each node; the API server and the autoscaler ask it. What nodes that do not
// answer use is not known, and what was known of them is forgotten when it is old.
package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"proa/client"
)

// Config is what a Meter needs. All but Log and Clock are required.
type Config struct {
	Client client.Client // reads nodes
	// Ask returns what a node answers on a path of its API.
	Ask   func(ctx context.Context, node, path string) ([]byte, error)
	Log   *slog.Logger
	Clock Clock
}

// Clock is time as tests make it.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

const (
	period     = 5 * time.Second
	firstPause = time.Second     // between the first two looks, for whoever waits for them
	interest   = 5 * time.Minute // how long looking goes on after the last question
	oldest     = time.Minute     // an answer that is older is none
	patience   = 4 * time.Second // with a node
)

// Sample is what something used.
type Sample struct {
	Usage  v1.ResourceList // cpu, over the window; memory, at its end
	At     time.Time
	Window time.Duration
}

// Pod is what the containers of a pod used, by name.
type Pod struct {
	Containers map[string]v1.ResourceList
	At         time.Time
	Window     time.Duration
}

type podKey struct{ namespace, name string }

// Meter answers what is used.
type Meter struct {
	cfg  Config
	wake chan struct{}

	mu struct {
		sync.Mutex
		wanted  time.Time     // until when
		rates   chan struct{} // closed once there are rates; renewed when looking stops
		looking bool
		last    map[string]*look // by node
		nodes   map[string]Sample
		pods    map[podKey]Pod
	}
}

// New starts nothing.
func New(cfg Config) (*Meter, error) {
	if cfg.Client == nil || cfg.Ask == nil {
		return nil, errors.New("measure usage: Client and Ask are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = systemClock{}
	}
	m := &Meter{cfg: cfg, wake: make(chan struct{}, 1)}
	m.forget()
	return m, nil
}

// forget is called without the lock by New, and with it else.
func (m *Meter) forget() {
	m.mu.looking, m.mu.rates = false, make(chan struct{})
	m.mu.last, m.mu.nodes, m.mu.pods = map[string]*look{}, map[string]Sample{}, map[podKey]Pod{}
}

// want says that somebody asks, and returns what is closed when there are answers.
func (m *Meter) want() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.wanted = m.cfg.Clock.Now().Add(interest)
	if !m.mu.looking {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
	return m.mu.rates
}

// Await returns when usage is known, at once if somebody has asked lately.
func (m *Meter) Await(ctx context.Context) error {
	select {
	case <-m.want():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Node is what a node used; ok is false if that is not known.
func (m *Meter) Node(name string) (s Sample, ok bool) {
	m.want()
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok = m.mu.nodes[name]
	return s, ok && m.cfg.Clock.Now().Sub(s.At) < oldest
}

// Pod is what a pod's containers used; ok is false if that is not known.
func (m *Meter) Pod(namespace, name string) (p Pod, ok bool) {
	m.want()
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok = m.mu.pods[podKey{namespace, name}]
	return p, ok && m.cfg.Clock.Now().Sub(p.At) < oldest
}

// Containers is Pod as the autoscaler wants it.
func (m *Meter) Containers(namespace, pod string) (containers map[string]v1.ResourceList, at time.Time, window time.Duration, ok bool) {
	p, ok := m.Pod(namespace, pod)
	return p.Containers, p.At, p.Window, ok
}

// Run looks for as long as somebody wants to know, until ctx ends.
func (m *Meter) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		}
		m.mu.Lock()
		m.mu.looking = true
		m.mu.Unlock()
		for looks := 0; m.look(ctx, looks > 0); looks++ {
			pause := period
			if looks == 0 {
				pause = firstPause
			}
			select {
			case <-ctx.Done():
				return nil
			case <-m.cfg.Clock.After(pause):
			}
		}
	}
}

// look asks all nodes at once. It says whether anybody still wants to know.
func (m *Meter) look(ctx context.Context, again bool) bool {
	var asked sync.WaitGroup
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	present := map[string]bool{}
	for node := range client.List[*v1.Node](m.cfg.Client.View(), "nodes", "") {
		present[node.Name] = true
		asked.Go(func() {
			data, err := m.cfg.Ask(ctx, node.Name, "/stats/summary")
			if err == nil {
				err = m.take(node.Name, data)
			}
			if err != nil {
				m.cfg.Log.Debug("what a node uses is not known", "node", node.Name, "err", err)
			}
		})
	}
	asked.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.mu.last {
		if !present[name] {
			delete(m.mu.last, name)
			delete(m.mu.nodes, name)
		}
	}
	now := m.cfg.Clock.Now()
	for key, p := range m.mu.pods {
		if now.Sub(p.At) >= oldest {
			delete(m.mu.pods, key)
		}
	}
	if again {
		select {
		case <-m.mu.rates:
		default:
			close(m.mu.rates)
		}
	}
	if now.After(m.mu.wanted) {
		m.forget()
		return false
	}
	return true
}

// look is one answer of a node.
type look struct {
	at   time.Time
	node counters
	pods map[podKey]map[string]counters
}

type counters struct {
	cpu    uint64 // nanoseconds of processor time since the beginning
	memory uint64 // bytes
	known  bool
}

// summary is the part of the kubelet's stats/v1alpha1 that is read here.
type summary struct {
	Node struct{ stats } `json:"node"`
	Pods []struct {
		PodRef     struct{ Name, Namespace string } `json:"podRef"`
		Containers []struct {
			Name string `json:"name"`
			stats
		} `json:"containers"`
	} `json:"pods"`
}

type stats struct {
	CPU struct {
		UsageCoreNanoSeconds *uint64 `json:"usageCoreNanoSeconds"`
	} `json:"cpu"`
	Memory struct {
		WorkingSetBytes *uint64 `json:"workingSetBytes"`
	} `json:"memory"`
}

func (s *stats) counters() counters {
	if s.CPU.UsageCoreNanoSeconds == nil || s.Memory.WorkingSetBytes == nil {
		return counters{}
	}
	return counters{*s.CPU.UsageCoreNanoSeconds, *s.Memory.WorkingSetBytes, true}
}

// take compares a node's answer with its last one.
func (m *Meter) take(node string, data []byte) error {
	var s summary
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read summary: %w", err)
	}
	now := &look{at: m.cfg.Clock.Now(), node: s.Node.counters(), pods: map[podKey]map[string]counters{}}
	for i := range s.Pods {
		containers := map[string]counters{}
		for j := range s.Pods[i].Containers {
			containers[s.Pods[i].Containers[j].Name] = s.Pods[i].Containers[j].counters()
		}
		now.pods[podKey{s.Pods[i].PodRef.Namespace, s.Pods[i].PodRef.Name}] = containers
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.mu.last[node]
	m.mu.last[node] = now
	if before == nil || !now.at.After(before.at) {
		return nil
	}
	window := now.at.Sub(before.at)
	if usage, ok := used(before.node, now.node, window); ok {
		m.mu.nodes[node] = Sample{usage, now.at, window}
	}
	for key, containers := range now.pods {
		pod := Pod{Containers: map[string]v1.ResourceList{}, At: now.at, Window: window}
		for name, c := range containers {
			if usage, ok := used(before.pods[key][name], c, window); ok {
				pod.Containers[name] = usage
			}
		}
		if len(pod.Containers) == len(containers) {
			m.mu.pods[key] = pod
		}
	}
	return nil
}

// used turns two counts into what was used between them. A counter that went back belongs to a container that was started anew.
func used(before, now counters, window time.Duration) (v1.ResourceList, bool) {
	if !before.known || !now.known || now.cpu < before.cpu {
		return nil, false
	}
	nanocores := float64(now.cpu-before.cpu) / window.Seconds()
	return v1.ResourceList{
		v1.ResourceCPU:    *resource.NewScaledQuantity(int64(nanocores), resource.Nano),
		v1.ResourceMemory: *resource.NewQuantity(int64(now.memory), resource.BinarySI),
	}, true
}
