package admit

import (
	"strconv"
	"sync/atomic"
	"time"

	"proa/internal/measure"
)

// phases of admission, as upstream names them.
const (
	admitting = iota
	validating
)

var (
	operations = [...]Operation{Create, Update, Delete, Connect}
	phases     = [...]string{"admit", "validate"}
)

// times are how long a step took, or all of them together, by operation and phase, and by whether the write was refused. A
// histogram is made when it is first needed.
type times [len(operations)][len(phases)][2]atomic.Pointer[measure.Histogram]

func (t *times) observe(a *Attributes, phase int, refused bool, took time.Duration) {
	operation, rejected := 0, 0
	for i := range operations {
		if operations[i] == a.Operation {
			operation = i
		}
	}
	if refused {
		rejected = 1
	}
	slot := &t[operation][phase][rejected]
	h := slot.Load()
	if h == nil {
		slot.CompareAndSwap(nil, measure.NewHistogram(0.005, 0.025, 0.1, 0.5, 1, 2.5))
		h = slot.Load()
	}
	h.Observe(took.Seconds())
}

func (t *times) addTo(f *measure.Family, before ...string) {
	for o := range t {
		for p := range t[o] {
			for r := range t[o][p] {
				if h := t[o][p][r].Load(); h != nil {
					f.AddHistogram(h, append(before[:len(before):len(before)], phases[p], string(operations[o]), strconv.FormatBool(r == 1))...)
				}
			}
		}
	}
}

// Measures lists what dashboards know as apiserver_admission_*.
func (c *Chain) Measures() []measure.Family {
	all := measure.Family{Name: "apiserver_admission_step_admission_duration_seconds", Help: "How long all admission steps together took", Type: measure.Distribution,
		Labels: []string{"type", "operation", "rejected"}}
	c.whole.addTo(&all)
	each := measure.Family{Name: "apiserver_admission_controller_admission_duration_seconds", Help: "How long an admission step took that runs what users wrote", Type: measure.Distribution,
		Labels: []string{"name", "type", "operation", "rejected"}}
	for i := range c.steps {
		c.times[i].addTo(&each, c.steps[i].Name)
	}
	return []measure.Family{all, each}
}
