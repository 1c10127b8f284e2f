package fair

// mostRetryAfter is the longest time that clients are told to stay away, in seconds.
const mostRetryAfter = 32

// retry decides how long refused clients should stay away, as TCP would: twice as long when many were refused in the
// time that was asked for last, a second less when few were. It is upstream's rule.
type retry struct {
	after  int64 // seconds; 0 before anything was refused
	raised int64 // when after was last doubled
	second int64 // that now counts
	now    int64 // refused in it
	past   [mostRetryAfter]struct{ second, refused int64 }
}

// refuse notes a refusal and returns what to tell the client.
func (r *retry) refuse(second int64) int64 {
	if r.after == 0 {
		r.after, r.second = 1, second
	}
	if second != r.second {
		slot := &r.past[r.second%mostRetryAfter]
		slot.second, slot.refused = r.second, r.now
		r.second, r.now = second, 0
		r.adjust()
	}
	r.now++
	return r.after
}

func (r *retry) adjust() {
	refused := int64(0)
	for _, p := range r.past {
		if age := r.second - p.second; age > 0 && age <= r.after {
			refused += p.refused
		}
	}
	switch {
	case refused >= 3*r.after && r.second-r.raised >= r.after:
		r.after, r.raised = min(2*r.after, mostRetryAfter), r.second
	case refused < r.after && r.after > 1:
		r.after--
	}
}
