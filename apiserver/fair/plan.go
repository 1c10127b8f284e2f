package fair

import (
	"cmp"
	"math"
	"slices"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"proa/kinds/flowcontrol"
)

// mostSeatsShare is the part of a level's seats that one request may take.
const mostSeatsShare = 0.15

// levelPlan is what one level should be.
type levelPlan struct {
	object *flowcontrolv1.PriorityLevelConfiguration
	queuing
	bounds
	mostSeats int  // for one request; 0: no bound of the level's own
	leaving   bool // its object is gone
}

// plan is a whole configuration: the levels by name, the schemas in the order in which they are asked.
type plan struct {
	levels  []levelPlan
	schemas []*flowcontrolv1.FlowSchema
}

// planOf makes a configuration out of the objects, and of those levels that are no longer there but still have requests
// under way. What is mandatory and missing is added; schemas whose level is not there are left out.
func planOf(total int, levels, leaving []*flowcontrolv1.PriorityLevelConfiguration, schemas []*flowcontrolv1.FlowSchema) plan {
	levels = slices.Clone(levels)
	for _, fixed := range flowcontrol.MandatoryLevels() {
		if !slices.ContainsFunc(levels, func(l *flowcontrolv1.PriorityLevelConfiguration) bool { return l.Name == fixed.Name }) {
			levels = append(levels, fixed)
		}
	}
	var p plan
	for _, s := range schemas {
		if slices.ContainsFunc(levels, func(l *flowcontrolv1.PriorityLevelConfiguration) bool {
			return l.Name == s.Spec.PriorityLevelConfiguration.Name
		}) {
			p.schemas = append(p.schemas, s)
		}
	}
	for _, fixed := range flowcontrol.MandatorySchemas() {
		if !slices.ContainsFunc(p.schemas, func(s *flowcontrolv1.FlowSchema) bool { return s.Name == fixed.Name }) {
			p.schemas = append(p.schemas, fixed)
		}
	}
	slices.SortFunc(p.schemas, func(a, b *flowcontrolv1.FlowSchema) int {
		return cmp.Or(cmp.Compare(a.Spec.MatchingPrecedence, b.Spec.MatchingPrecedence), cmp.Compare(a.Name, b.Name))
	})
	all := append(levels, leaving...)
	shares := 0.0
	for _, l := range all {
		shares += float64(sharesOf(l))
	}
	for i, l := range all {
		level := planLevel(total, shares, l)
		level.leaving = i >= len(levels)
		p.levels = append(p.levels, level)
	}
	slices.SortFunc(p.levels, func(a, b levelPlan) int { return cmp.Compare(a.object.Name, b.object.Name) })
	return p
}

func sharesOf(l *flowcontrolv1.PriorityLevelConfiguration) int32 {
	switch {
	case l.Spec.Limited != nil && l.Spec.Limited.NominalConcurrencyShares != nil:
		return *l.Spec.Limited.NominalConcurrencyShares
	case l.Spec.Exempt != nil && l.Spec.Exempt.NominalConcurrencyShares != nil:
		return *l.Spec.Exempt.NominalConcurrencyShares
	}
	return 0
}

// planLevel rounds up, so the levels may have a few seats more than the server.
func planLevel(total int, shares float64, l *flowcontrolv1.PriorityLevelConfiguration) levelPlan {
	nominal := 0
	if shares > 0 {
		nominal = int(math.Ceil(float64(total) * float64(sharesOf(l)) / shares))
	}
	percent := func(p *int32) int {
		if p == nil {
			return 0
		}
		return int(math.Round(float64(nominal) * float64(*p) / 100))
	}
	p := levelPlan{object: l}
	p.nominal = nominal
	limited := l.Spec.Limited
	if limited == nil {
		p.exempt = true
		if l.Spec.Exempt != nil {
			p.least = nominal - percent(l.Spec.Exempt.LendablePercent)
		}
		p.most = nominal + total
		return p
	}
	p.least, p.most = nominal-percent(limited.LendablePercent), nominal+total
	if limited.BorrowingLimitPercent != nil {
		p.most = nominal + percent(limited.BorrowingLimitPercent)
	}
	if q := limited.LimitResponse.Queuing; q != nil {
		p.queues, p.hand, p.length = int(q.Queues), int(q.HandSize), int(q.QueueLengthLimit)
		p.mostSeats = max(1, min(int(math.Ceil(float64(nominal)*mostSeatsShare)), nominal/p.hand))
	}
	return p
}
