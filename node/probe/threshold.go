package probe

import "proa/node/pod"

// answer is what one probe said.
type answer uint8

const (
	failure answer = iota + 1
	success
	// warning is a success that the user should hear about.
	warning
)

// threshold counts answers of one kind. It is pure: the worker feeds it and does what it says.
//
//	Startup:   waiting --success--> done, healthy      waiting --failure x threshold--> done, unhealthy
//	Readiness: unhealthy <--> healthy, each after its threshold
//	Liveness:  healthy --failure x threshold--> done, unhealthy
type threshold struct {
	kind             pod.ProbeKind
	successes, fails int // in a row that are needed
	healthy          bool

	last answer
	run  int
}

// add takes an answer, and says whether health has changed and whether probing is over for this container.
func (t *threshold) add(a answer) (changed, done bool) {
	if a == warning {
		a = success
	}
	if a != t.last {
		t.last, t.run = a, 0
	}
	t.run++
	needed := t.successes
	if a == failure {
		needed = t.fails
	}
	if t.run < needed {
		return false, false
	}
	switch t.kind {
	case pod.Startup:
		t.healthy = a == success
		return true, true
	case pod.Liveness:
		// A container that is to be killed is left in peace: an exec could meet its end.
		t.healthy = a == success
		return !t.healthy, !t.healthy
	}
	changed = t.healthy != (a == success)
	t.healthy = a == success
	return changed, false
}
