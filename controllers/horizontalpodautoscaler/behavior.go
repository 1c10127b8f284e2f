package horizontalpodautoscaler

import (
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"proa/kinds/autoscaling"
)

// DefaultDownWindow is how long the highest recommendation of late holds when no rule says otherwise, as upstream has it:
// load comes back.
const DefaultDownWindow = 5 * time.Minute

// longestPast is how long anything is remembered: the longest window and period that rules may name.
const longestPast = time.Hour

// memory is what an autoscaler recommended and did of late, oldest first.
type memory struct {
	uid             string
	recommendations []entry
	changes         []entry
}

// entry is a number of replicas, or by how many it was changed.
type entry struct {
	at    time.Time
	value int32
}

func (m *memory) did(at time.Time, change int32) { m.changes = append(m.changes, entry{at, change}) }

func recent(entries []entry, now time.Time) []entry {
	for len(entries) > 0 && now.Sub(entries[0].at) > longestPast {
		entries = entries[1:]
	}
	return entries
}

// rules are those of the spec, filled in.
func (d *decision) rules() (up, down *autoscalingv2.HPAScalingRules) {
	if b := d.spec.Behavior; b != nil {
		up, down = b.ScaleUp, b.ScaleDown
	}
	return autoscaling.UpRules(up), autoscaling.DownRules(down)
}

func window(rules *autoscalingv2.HPAScalingRules, otherwise time.Duration) time.Duration {
	if rules.StabilizationWindowSeconds == nil {
		return otherwise
	}
	return time.Duration(*rules.StabilizationWindowSeconds) * time.Second
}

// stabilise holds against the recommendations of late: it grows no further than the lowest, and shrinks no further than
// the highest of them.
func (d *decision) stabilise(proposed int32) int32 {
	up, down := d.rules()
	lowest, highest := proposed, proposed
	d.memory.recommendations = recent(d.memory.recommendations, d.now)
	if len(d.memory.recommendations) == 0 { // what was before this process counts as one recommendation
		d.memory.recommendations = []entry{{d.now, d.current}}
	}
	for _, r := range d.memory.recommendations {
		if age := d.now.Sub(r.at); age < window(up, 0) {
			lowest = min(lowest, r.value)
		}
		if age := d.now.Sub(r.at); age < window(down, d.downWindow) {
			highest = max(highest, r.value)
		}
	}
	d.memory.recommendations = append(d.memory.recommendations, entry{d.now, proposed})
	stable := min(max(d.current, lowest), highest)
	switch {
	case stable == proposed:
		d.condition(autoscalingv2.AbleToScale, true, "ReadyForNewScale", "recommended size matches current size")
	case proposed >= d.current:
		d.condition(autoscalingv2.AbleToScale, true, "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation")
	default:
		d.condition(autoscalingv2.AbleToScale, true, "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation")
	}
	return stable
}

// limit keeps to the bounds of the spec, and to how fast the rules let the number change.
func (d *decision) limit(wanted, least, most int32) int32 {
	up, down := d.rules()
	d.memory.changes = recent(d.memory.changes, d.now)
	limited := func(n int32, reason, message string) int32 {
		d.condition(autoscalingv2.ScalingLimited, true, reason, "%s", message)
		return n
	}
	switch {
	case wanted > d.current:
		fastest := max(d.fastest(up, +1), d.current)
		if fastest < most && wanted > fastest {
			return limited(fastest, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
		}
		if wanted > most {
			return limited(most, "TooManyReplicas", "the desired replica count is more than the maximum replica count")
		}
	case wanted < d.current:
		fastest := min(d.fastest(down, -1), d.current)
		if fastest > least && wanted < fastest {
			return limited(fastest, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
		}
		if wanted < least {
			return limited(least, "TooFewReplicas", "the desired replica count is less than the minimum replica count")
		}
	}
	d.condition(autoscalingv2.ScalingLimited, false, "DesiredWithinRange", "the desired count is within the acceptable range")
	return wanted
}

// fastest is how far the number may go now in a direction: for each policy from what it was when the policy's period began.
func (d *decision) fastest(rules *autoscalingv2.HPAScalingRules, direction int32) int32 {
	if *rules.SelectPolicy == autoscalingv2.DisabledPolicySelect {
		return d.current
	}
	var best *int32
	for _, p := range rules.Policies {
		start := d.current
		for _, c := range d.memory.changes {
			if d.now.Sub(c.at) < time.Duration(p.PeriodSeconds)*time.Second {
				start -= c.value
			}
		}
		n := start + direction*p.Value
		if p.Type == autoscalingv2.PercentScalingPolicy {
			share := float64(start) * (1 + float64(direction)*float64(p.Value)/100)
			if n = int32(share); direction > 0 { // rounded up, or a few would never become more
				n = int32(math.Ceil(share))
			}
		}
		further := best != nil && (n-*best)*direction > 0
		if best == nil || further == (*rules.SelectPolicy != autoscalingv2.MinChangePolicySelect) {
			best = &n
		}
	}
	if best == nil {
		return d.current
	}
	return *best
}
