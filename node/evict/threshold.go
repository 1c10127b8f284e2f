package evict

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Amount is a quantity, or a share of the capacity.
type Amount struct {
	Quantity *resource.Quantity
	Percent  float64 // when Quantity is nil
}

// of is the amount where there is that much in all.
func (a Amount) of(capacity int64) int64 {
	if a.Quantity != nil {
		return a.Quantity.Value()
	}
	return int64(float64(capacity) * a.Percent / 100)
}

// Threshold is met while less than Value is available. A hard one has no Grace: eviction begins at once.
type Threshold struct {
	Signal  Signal
	Value   Amount
	Grace   time.Duration
	Reclaim Amount // beyond Value, once reclaiming has begun
}

func (t Threshold) hard() bool { return t.Grace == 0 }

// met says whether less is available than the threshold asks for, or than it asks for once reclaiming has begun.
func (t Threshold) met(levels Levels, reclaiming bool) bool {
	level, measured := levels[t.Signal]
	if !measured {
		return false
	}
	needed := t.Value.of(level.Capacity)
	if reclaiming {
		needed += t.Reclaim.of(level.Capacity)
	}
	return level.Available < needed
}

// Settings are a Policy as users write it; the names and the forms are those of the kubelet's flags.
type Settings struct {
	Hard           string // "memory.available<100Mi,nodefs.available<10%"; "" is DefaultHard, "none" switches all of them off
	Soft           string // as Hard; each needs a time in SoftGrace
	SoftGrace      string // "memory.available=1m30s"
	MinimumReclaim string // "nodefs.available=500Mi"
	Transition     time.Duration
	MaxPodGrace    int64
}

// Upstream's defaults.
const (
	DefaultHard       = "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%"
	DefaultTransition = 5 * time.Minute
)

// Policy reads the settings.
func (s Settings) Policy() (Policy, error) {
	switch s.Hard {
	case "":
		s.Hard = DefaultHard
	case "none":
		s.Hard = ""
	}
	if s.Transition == 0 {
		s.Transition = DefaultTransition
	}
	hard, err1 := pairs(s.Hard, "<")
	soft, err2 := pairs(s.Soft, "<")
	graces, err3 := pairs(s.SoftGrace, "=")
	reclaims, err4 := pairs(s.MinimumReclaim, "=")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return Policy{}, err
	}
	p := Policy{Transition: s.Transition, MaxPodGrace: s.MaxPodGrace}
	for _, name := range slices.Sorted(maps.Keys(hard)) {
		t, err := threshold(name, hard[name], reclaims[name])
		if err != nil {
			return Policy{}, err
		}
		p.Thresholds = append(p.Thresholds, t)
	}
	for _, name := range slices.Sorted(maps.Keys(soft)) {
		t, err := threshold(name, soft[name], reclaims[name])
		if err != nil {
			return Policy{}, err
		}
		if t.Grace, err = time.ParseDuration(graces[name]); err != nil || t.Grace <= 0 {
			return Policy{}, fmt.Errorf("soft eviction threshold %s<%s: it needs a time of grace such as %s=1m30s", name, soft[name], name)
		}
		p.Thresholds = append(p.Thresholds, t)
	}
	return p, nil
}

// pairs reads a list such as "a<1,b<2".
func pairs(list, separator string) (map[Signal]string, error) {
	all := map[Signal]string{}
	for _, item := range strings.Split(list, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		name, value, ok := strings.Cut(item, separator)
		s := Signal(strings.TrimSpace(name))
		if _, known := s.meaning(); !ok || !known {
			return nil, fmt.Errorf("eviction setting %q: write it as SIGNAL%sVALUE, with one of the signals %s", item, separator, signalNames())
		}
		if all[s] != "" {
			return nil, fmt.Errorf("eviction setting %q: %s is set twice", list, s)
		}
		all[s] = strings.TrimSpace(value)
	}
	return all, nil
}

func signalNames() string {
	var names []string
	for _, s := range signals {
		names = append(names, string(s.name))
	}
	return strings.Join(names, ", ")
}

func threshold(name Signal, value, reclaim string) (Threshold, error) {
	t := Threshold{Signal: name}
	var err error
	if t.Value, err = amount(value); err != nil {
		return t, fmt.Errorf("eviction threshold %s<%s: %w", name, value, err)
	}
	if reclaim != "" {
		if t.Reclaim, err = amount(reclaim); err != nil {
			return t, fmt.Errorf("eviction minimum reclaim %s=%s: %w", name, reclaim, err)
		}
	}
	return t, nil
}

func amount(text string) (Amount, error) {
	if share, ok := strings.CutSuffix(text, "%"); ok {
		percent, err := strconv.ParseFloat(share, 64)
		if err != nil || percent < 0 || percent > 100 {
			return Amount{}, errors.New("a share is a number from 0% to 100%")
		}
		return Amount{Percent: percent}, nil
	}
	q, err := resource.ParseQuantity(text)
	if err != nil || q.Sign() < 0 {
		return Amount{}, errors.New("an amount is a quantity such as 500Mi, or a share such as 10%")
	}
	return Amount{Quantity: &q}, nil
}

// Headroom is what must stay free of a node's capacity for no pod to be evicted: it is not offered to pods.
func (p Policy) Headroom(capacity v1.ResourceList) v1.ResourceList {
	kept := v1.ResourceList{}
	for _, t := range p.Thresholds {
		if t.hard() && (t.Signal == MemoryAvailable || t.Signal == NodeFSAvailable) {
			meaning, _ := t.Signal.meaning()
			all := capacity[meaning.resource]
			kept[meaning.resource] = *resource.NewQuantity(t.Value.of(all.Value()), resource.BinarySI)
		}
	}
	return kept
}
