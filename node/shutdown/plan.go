package shutdown

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1"

	"proa/node/pod"
)

// Period is how long pods from a priority on, up to the next period's, get to end.
type Period struct {
	Priority int32
	Grace    time.Duration
}

// Settings are the periods as users write them; the names and forms are the kubelet's. All empty: the feature is off.
type Settings struct {
	Grace         time.Duration // for all pods together
	GraceCritical time.Duration // the part of it that is kept for critical pods, which end last
	ByPriority    string        // instead of both: "0=60,10000=30,2000000000=10", seconds by priority
}

// Periods reads the settings. The periods are ordered by priority.
func (s Settings) Periods() ([]Period, error) {
	if s.ByPriority == "" {
		switch {
		case s.Grace < 0 || s.GraceCritical < 0 || s.GraceCritical > s.Grace:
			return nil, fmt.Errorf("shutdown in %s, %s of it for critical pods: the part cannot be more than the whole, nor can either be negative", s.Grace, s.GraceCritical)
		case s.Grace == 0:
			return nil, nil
		}
		return []Period{{0, s.Grace - s.GraceCritical}, {pod.SystemCritical, s.GraceCritical}}, nil
	}
	if s.Grace != 0 || s.GraceCritical != 0 {
		return nil, errors.New("the time for shutdown is given by priority, and for all pods: give one of them")
	}
	var periods []Period
	for _, item := range strings.Split(s.ByPriority, ",") {
		priority, grace, _ := strings.Cut(item, "=")
		p, err1 := strconv.ParseInt(strings.TrimSpace(priority), 10, 32)
		g, err2 := strconv.ParseInt(strings.TrimSpace(grace), 10, 32)
		if errors.Join(err1, err2) != nil || g < 0 {
			return nil, fmt.Errorf("time for shutdown %q: write it as PRIORITY=SECONDS, such as 10000=30", item)
		}
		periods = append(periods, Period{int32(p), time.Duration(g) * time.Second})
	}
	slices.SortFunc(periods, func(a, b Period) int { return cmp.Compare(a.Priority, b.Priority) })
	return periods, nil
}

// total is how long all of it may take.
func total(periods []Period) time.Duration {
	var sum time.Duration
	for _, p := range periods {
		sum += p.Grace
	}
	return sum
}

// group is the pods that end together.
type group struct {
	Period
	pods []*v1.Pod
}

// groups orders the pods: the least important end first. A pod below all periods is in the first. A group without pods takes no
// time and is left out.
func groups(periods []Period, pods []*v1.Pod) []group {
	all := make([]group, len(periods))
	for i, p := range periods {
		all[i].Period = p
	}
	for _, p := range pods {
		i := len(all) - 1
		for i > 0 && all[i].Priority > corev1.PodPriority(p) {
			i--
		}
		all[i].pods = append(all[i].pods, p)
	}
	return slices.DeleteFunc(all, func(g group) bool { return len(g.pods) == 0 })
}

// grace is how many seconds a pod of the group gets: what it asks for, within the period.
func (g group) grace(p *v1.Pod) int64 {
	grace := int64(g.Grace / time.Second)
	if own := p.Spec.TerminationGracePeriodSeconds; own != nil {
		grace = min(grace, *own)
	}
	return grace
}
