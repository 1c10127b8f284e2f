// Package shutdown stops a node's pods in order when its machine is about to shut down (KEP-2000, KEP-2712).
//
// It decides which pods end when, the least important first, and how long each gets; it owns the lock by which it delays the shutdown.
// node runs it if it is configured to; node/run ends the pods it names and asks it before others start; node/status shows that the
// node is not ready meanwhile. It learns of a shutdown from systemd-logind; where there is none, it says so once and the machine
// shuts down as if it were not there.
package shutdown

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/internal/pause"
	"proa/node/pod"
)

// What the status of pods says, in upstream's words.
const (
	reason          = "Terminated"
	message         = "Pod was terminated in response to imminent node shutdown."
	refusedReason   = "NodeShutdown"
	refusedMessage  = "Pod was rejected as the node is shutting down."
	notReadyMessage = "node is shutting down"
)

// Bus is what tells of shutdowns and delays them. One goroutine uses it, but for Close.
type Bus interface {
	// Delay makes sure that a shutdown can be delayed that long, or says how long it can.
	Delay(ctx context.Context, wanted time.Duration) (time.Duration, error)
	// Inhibit delays shutdowns from now on, until release is called.
	Inhibit(ctx context.Context) (release func() error, err error)
	// Shutdowns yields true when the machine is about to shut down, false when it is not after all. It is closed when nobody tells
	// any more.
	Shutdowns(ctx context.Context) (<-chan bool, error)
	Close() error
}

// Pods is what runs on the node. Its methods return at once.
type Pods interface {
	Active() []*v1.Pod
	End(uid types.UID, why pod.Evicted)
	Runs(uid types.UID) bool
}

// Config is what a Manager works with. All fields are required.
type Config struct {
	Periods []Period // ordered by priority; see Settings
	Bus     func() (Bus, error)
	Pods    Pods
	Changed func() // the machine is about to shut down, or is not after all; returns at once
	Log     *slog.Logger
}

// Manager watches for the shutdown of one machine. See Run.
type Manager struct {
	Config
	down atomic.Bool
}

// New makes a manager; Run starts it.
func New(c Config) *Manager { return &Manager{Config: c} }

// NotReady says why the node is not ready, "" when it is not shutting down.
func (m *Manager) NotReady() string {
	if m.down.Load() {
		return notReadyMessage
	}
	return ""
}

// Admit says whether a pod must not start.
func (m *Manager) Admit(*v1.Pod) *pod.Refused {
	if m.down.Load() {
		return &pod.Refused{Reason: refusedReason, Message: refusedMessage}
	}
	return nil
}

// again is the pause before the bus is tried once more after it went away.
const again = 5 * time.Second

// Run watches until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	for said := false; ctx.Err() == nil; {
		worked, err := m.watch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if worked || !said {
			m.Log.Info("shutdowns of the machine are not noticed: pods will not be stopped in order", "error", err)
		}
		if said = true; !worked {
			<-ctx.Done() // there is none on this machine
			return nil
		}
		pause.For(ctx, again)
	}
	return nil
}

// watch works with one connection to the bus, for as long as it lasts. worked says whether it could begin.
func (m *Manager) watch(ctx context.Context) (worked bool, err error) {
	bus, err := m.Bus()
	if err != nil {
		return false, err
	}
	defer bus.Close()
	wanted := total(m.Periods)
	delay, err := bus.Delay(ctx, wanted)
	if err != nil {
		return false, err
	}
	if delay < wanted {
		m.Log.Warn("a shutdown can be delayed for less than its pods may take: raise InhibitDelayMaxSec of logind", "wanted", wanted, "delay", delay)
	}
	shutdowns, err := bus.Shutdowns(ctx)
	if err != nil {
		return false, err
	}
	for {
		release, err := bus.Inhibit(ctx)
		if err != nil {
			return true, err
		}
		err = m.untilShutdown(ctx, shutdowns)
		if releaseErr := release(); err == nil {
			err = releaseErr
		}
		if err != nil || ctx.Err() != nil {
			return true, err
		}
		if err := m.untilCancelled(ctx, shutdowns); err != nil || ctx.Err() != nil {
			return true, err
		}
	}
}

// untilShutdown returns when the machine is about to shut down and the pods have ended.
func (m *Manager) untilShutdown(ctx context.Context, shutdowns <-chan bool) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case begins, open := <-shutdowns:
			if !open {
				return fmt.Errorf("the bus was closed")
			}
			if begins {
				m.down.Store(true)
				m.Changed()
				m.end(ctx)
				return nil
			}
		}
	}
}

// untilCancelled waits for the machine to end, or to live on after all.
func (m *Manager) untilCancelled(ctx context.Context, shutdowns <-chan bool) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case begins, open := <-shutdowns:
			if !open {
				return fmt.Errorf("the bus was closed")
			}
			if !begins {
				m.Log.Info("the machine does not shut down after all")
				m.down.Store(false)
				m.Changed()
				return nil
			}
		}
	}
}

// look is how often it is looked whether the pods of a group have ended.
const look = 100 * time.Millisecond

// end ends the pods, group by group.
func (m *Manager) end(ctx context.Context) {
	for _, g := range groups(m.Periods, m.Pods.Active()) {
		m.Log.Info("the machine shuts down: end pods", "priority", g.Priority, "pods", len(g.pods), "grace", g.Grace)
		for _, p := range g.pods {
			m.Pods.End(p.UID, pod.Evicted{Reason: reason, Message: message, GraceSeconds: g.grace(p), Disrupted: true})
		}
		limit, cancel := context.WithTimeout(ctx, g.Grace)
		for limit.Err() == nil && slices.ContainsFunc(g.pods, func(p *v1.Pod) bool { return m.Pods.Runs(p.UID) }) {
			pause.For(limit, look)
		}
		cancel()
	}
}
