package evict

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/internal/pause"
	"proa/node/pod"
)

// Meter measures. Its methods are called from one goroutine.
type Meter interface {
	// Levels measures the node. What cannot be read is missing.
	Levels(ctx context.Context) Levels
	// Usage measures pods, with what they have on disk if that is asked for: it may walk their files. It returns one Usage for
	// each, not Known where measuring failed.
	Usage(ctx context.Context, pods []*v1.Pod, disk bool) ([]Usage, error)
	// ImagesApart says whether images and containers' layers are on another file system than everything else.
	ImagesApart(ctx context.Context) (bool, error)
}

// Pods is what runs on the node. Its methods return at once.
type Pods interface {
	// Active lists the pods that are not over.
	Active() []*v1.Pod
	// Evict begins to end a pod.
	Evict(e Eviction)
	// Runs says whether a container of the pod may still run.
	Runs(uid types.UID) bool
}

// Recorder writes events; it never blocks.
type Recorder interface {
	Event(p *v1.Pod, container, eventType, reason, message string)
	NodeEvent(eventType, reason, message string)
}

// Config is what a Manager works with. All fields are required unless said otherwise.
type Config struct {
	NodeName string
	Policy   Policy
	Meter    Meter
	Pods     Pods
	// Reclaim removes what no pod needs: containers that are over, images that are not used.
	Reclaim func(ctx context.Context) error
	Events  Recorder
	Changed func() // the conditions did; returns at once
	Log     *slog.Logger
	Now     func() time.Time // optional
}

// Manager watches over one node. See Run.
type Manager struct {
	Config
	decider  *Decider
	evicted  map[types.UID]bool // was asked to end and has not; Run's goroutine alone
	walkNext time.Time          // files of limited pods are not walked before

	mu struct {
		sync.Mutex
		conditions []v1.NodeConditionType
	}
}

const (
	interval     = 10 * time.Second
	cleanup      = 30 * time.Second // how long an evicted pod is waited for before the next is chosen
	cleanupPause = 500 * time.Millisecond
	// walkShare bounds what walking the files of limited pods may cost: the time between two walks is so many times what one
	// takes.
	walkShare = 100
)

// NewManager makes a manager; Run starts it.
func NewManager(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Manager{Config: c, decider: NewDecider(c.Policy), evicted: map[types.UID]bool{}}
}

// Conditions are those of the node's pressure conditions that are true.
func (m *Manager) Conditions() []v1.NodeConditionType {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.conditions
}

// Admit says whether a pod must not start now.
func (m *Manager) Admit(p *v1.Pod) *pod.Refused { return Admit(p, m.Conditions()) }

// Run watches until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	for {
		evictions, err := m.round(ctx)
		if err != nil && ctx.Err() == nil {
			m.Log.Warn("look for pressure", "error", err)
		}
		wait := interval
		if len(evictions) > 0 {
			m.waitEnded(ctx, evictions)
			wait = 0 // pressure may go on
		}
		if !pause.For(ctx, wait) {
			return nil
		}
	}
}

// waitEnded returns when none of the pods runs any more, or after cleanup.
func (m *Manager) waitEnded(ctx context.Context, evictions []Eviction) {
	ctx, cancel := context.WithTimeout(ctx, cleanup)
	defer cancel()
	for slices.ContainsFunc(evictions, func(e Eviction) bool { return m.Pods.Runs(e.Pod.UID) }) {
		if !pause.For(ctx, cleanupPause) {
			return
		}
	}
}

// round looks once, and does what follows. It returns the pods that it began to end.
func (m *Manager) round(ctx context.Context) ([]Eviction, error) {
	levels := m.Meter.Levels(ctx)
	verdict := m.decider.Observe(m.Now(), levels)
	m.tell(verdict.Conditions)
	active := m.candidates()
	if over, err := m.overLimit(ctx, active); err != nil || len(over) > 0 {
		return m.evict(over), err
	}
	if verdict.Starving == nil {
		return nil, nil
	}
	short := *verdict.Starving
	m.Log.Warn("resource is short", "resource", short.Resource(), "signal", short.Signal, "available", levels[short.Signal].Available)
	m.Events.NodeEvent(v1.EventTypeWarning, "EvictionThresholdMet", "Attempting to reclaim "+string(short.Resource()))
	if short.Signal.disk() {
		relieved, err := m.reclaim(ctx, short)
		if relieved {
			return nil, err
		}
		if err != nil {
			m.Log.Warn("reclaim what no pod needs", "error", err)
		}
		levels = m.Meter.Levels(ctx)
	}
	chosen, err := m.choose(ctx, short, levels, active)
	if err != nil || chosen == nil {
		return nil, err
	}
	return m.evict([]Eviction{*chosen}), nil
}

// candidates are the pods that run and were not told to end.
func (m *Manager) candidates() []*v1.Pod {
	asked := m.evicted
	m.evicted = map[types.UID]bool{}
	return slices.DeleteFunc(m.Pods.Active(), func(p *v1.Pod) bool {
		if asked[p.UID] {
			m.evicted[p.UID] = true
		}
		return asked[p.UID]
	})
}

// overLimit looks at the pods that have a limit on local storage.
func (m *Manager) overLimit(ctx context.Context, active []*v1.Pod) ([]Eviction, error) {
	var limited []*v1.Pod
	for _, p := range active {
		if Limited(p) {
			limited = append(limited, p)
		}
	}
	begun := m.Now()
	if len(limited) == 0 || begun.Before(m.walkNext) {
		return nil, nil
	}
	usage, err := m.Meter.Usage(ctx, limited, true)
	now := m.Now()
	m.walkNext = now.Add(now.Sub(begun) * walkShare)
	if err != nil {
		return nil, err
	}
	apart, err := m.Meter.ImagesApart(ctx)
	if err != nil {
		return nil, err
	}
	return OverLimit(usage, apart), nil
}

// reclaim says whether removing what no pod needs was enough.
func (m *Manager) reclaim(ctx context.Context, short Threshold) (bool, error) {
	apart, err := m.Meter.ImagesApart(ctx)
	if err != nil {
		return false, err
	}
	if apart && (short.Signal == NodeFSAvailable || short.Signal == NodeFSInodesFree) {
		return false, nil // images and layers are elsewhere
	}
	err = m.Reclaim(ctx)
	return m.decider.Relieved(m.Meter.Levels(ctx)), err
}

func (m *Manager) choose(ctx context.Context, short Threshold, levels Levels, active []*v1.Pod) (*Eviction, error) {
	usage, err := m.Meter.Usage(ctx, active, short.Signal.disk())
	if err != nil {
		return nil, err
	}
	apart := false
	if short.Signal.disk() {
		if apart, err = m.Meter.ImagesApart(ctx); err != nil {
			return nil, err
		}
	}
	chosen := m.decider.Choose(short, levels, usage, apart)
	if chosen == nil {
		return nil, errors.New("no pod may be evicted: those that run are critical, or none runs")
	}
	return chosen, nil
}

func (m *Manager) evict(evictions []Eviction) []Eviction {
	for _, e := range evictions {
		m.Log.Warn("evict pod", "pod", e.Pod.Namespace+"/"+e.Pod.Name, "why", e.Message)
		m.Events.Event(e.Pod, "", v1.EventTypeWarning, Reason, e.Message)
		m.evicted[e.Pod.UID] = true
		m.Pods.Evict(e)
	}
	return evictions
}

// turns are the events that tell of a condition becoming true, and false.
var turns = [...]struct {
	condition v1.NodeConditionType
	yes, no   string
}{
	{v1.NodeMemoryPressure, "NodeHasInsufficientMemory", "NodeHasSufficientMemory"},
	{v1.NodeDiskPressure, "NodeHasDiskPressure", "NodeHasNoDiskPressure"},
	{v1.NodePIDPressure, "NodeHasInsufficientPID", "NodeHasSufficientPID"},
}

// tell publishes the conditions, and what changed.
func (m *Manager) tell(now []v1.NodeConditionType) {
	m.mu.Lock()
	before := m.mu.conditions
	m.mu.conditions = now
	m.mu.Unlock()
	if slices.Equal(before, now) {
		return
	}
	for _, turn := range turns {
		was, is := slices.Contains(before, turn.condition), slices.Contains(now, turn.condition)
		if was == is {
			continue
		}
		reason := turn.no
		if is {
			reason = turn.yes
		}
		m.Log.Info("condition of the node changed", "condition", turn.condition, "is", is)
		m.Events.NodeEvent(v1.EventTypeNormal, reason, "Node "+m.NodeName+" status is now: "+reason)
	}
	m.Changed()
}
