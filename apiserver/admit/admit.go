package admit

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

// Operation is what happens to an object.
type Operation string

// The operations, as admission webhooks name them.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Attributes is one write on its way. A step may change Object and Body.Object in place, nothing else.
type Attributes struct {
	Operation   Operation
	Verb        string // of the request: a patch is an Update, or a Create, too
	Resource    *resource.Resource
	Version     *encode.Version // in which the client speaks of Resource
	Subresource string
	Namespace   string
	Name        string // empty while a name is still to be generated
	User        auth.User
	Object      resource.Object // new; nil for Delete. Of subresources: the object they belong to, as it will be
	Old         resource.Object // stored; nil for Create. Shared: not to be changed
	Body        *Body           // of subresources with a body of their own, and of connections; nil for all others
	Options     runtime.Object  // what the client asked for besides, such as *metav1.CreateOptions; nil for none
	DryRun      bool
	Snapshot    store.Snapshot // what was committed when this try began
	Now         time.Time
	Warn        func(string)            // never nil
	Annotate    func(key, value string) // adds to the record that the audit keeps; never nil

	// Round is 0, and 1 when steps are asked again because a later one changed the object.
	Round int
	again bool
	notes map[string]any
}

// Body is what is written to a subresource that is no view of its object, such as a Binding, or what a connection asks for. It
// is what webhooks and policies see.
type Body struct {
	Operation   Operation
	Kind        schema.GroupVersionKind
	Object, Old runtime.Object // Old is nil, or what Object would replace
}

// AskAgain has all steps look at the object once more when each has had its turn, because it was changed by what they do not
// know.
func (a *Attributes) AskAgain() { a.again = true }

// Note keeps what a step wants to know in the next round.
func (a *Attributes) Note(step string, value any) {
	if a.notes == nil {
		a.notes = map[string]any{}
	}
	a.notes[step] = value
}

// Noted is what Note kept, or nil.
func (a *Attributes) Noted(step string) any { return a.notes[step] }

// Is says whether the write is about a resource of this table itself, not a subresource.
func (a *Attributes) Is(table string) bool { return a.Subresource == "" && a.Resource.Table() == table }

// Claims says whether writes of a resource in a namespace may claim values, and lose them to another writer.
func (c *Chain) Claims(r *resource.Resource, snap store.Snapshot, namespace string) bool {
	for i := range c.steps {
		if f := c.steps[i].ClaimsFor; f != nil && f(r.Table(), snap, namespace) {
			return true
		}
	}
	return false
}

// Step is one row of the list. Functions that are nil do nothing. They are called from many goroutines, and again
// when a write is tried again.
type Step struct {
	Name string
	// Counted: how long it takes is counted by itself, because it runs what users wrote or calls others. The server's own steps are
	// over sooner than the clock is read.
	Counted  bool
	Admit    func(ctx context.Context, a *Attributes) error // in order, before the kind's own rules
	Validate func(ctx context.Context, a *Attributes) error // in order, after them; changes nothing
	// Claim is what must be committed together with the object, where ClaimsFor.
	ClaimsFor func(table string, snap store.Snapshot, namespace string) bool
	Claim     func(ctx context.Context, a *Attributes) ([]store.Op, error) // after validation; changes nothing
}

// Chain runs steps in order.
type Chain struct {
	steps []Step
	times []times // of each step
	whole times
}

// New makes a chain of steps.
func New(steps ...Step) *Chain { return &Chain{steps: steps, times: make([]times, len(steps))} }

// Names lists the steps in order.
func (c *Chain) Names() []string {
	var names []string
	for _, s := range c.steps {
		names = append(names, s.Name)
	}
	return names
}

// Admit lets all steps change or refuse the object, twice if one of them wants so.
func (c *Chain) Admit(ctx context.Context, a *Attributes) error {
	if err := c.admit(ctx, a); err != nil || !a.again {
		return err
	}
	a.Round++
	return c.admit(ctx, a)
}

func (c *Chain) admit(ctx context.Context, a *Attributes) error {
	return c.each(ctx, a, admitting, func(s *Step) func(context.Context, *Attributes) error { return s.Admit })
}

// each calls a function of every step until one refuses the write, and notes how long that took.
func (c *Chain) each(ctx context.Context, a *Attributes, phase int, of func(*Step) func(context.Context, *Attributes) error) (err error) {
	if len(c.steps) == 0 {
		return nil
	}
	began := time.Now()
	for i := range c.steps {
		f := of(&c.steps[i])
		if f == nil {
			continue
		}
		if !c.steps[i].Counted {
			err = f(ctx, a)
		} else {
			start := time.Now()
			err = f(ctx, a)
			c.times[i].observe(a, phase, err != nil, time.Since(start))
		}
		if err != nil {
			break
		}
	}
	c.whole.observe(a, phase, err != nil, time.Since(began))
	return err
}

// Validate lets all steps refuse the object as it will be stored.
func (c *Chain) Validate(ctx context.Context, a *Attributes) error {
	return c.each(ctx, a, validating, func(s *Step) func(context.Context, *Attributes) error { return s.Validate })
}

// Claim gathers what must be committed together with the object.
func (c *Chain) Claim(ctx context.Context, a *Attributes) ([]store.Op, error) {
	var ops []store.Op
	for i := range c.steps {
		if f := c.steps[i].Claim; f != nil {
			more, err := f(ctx, a)
			if err != nil {
				return nil, err
			}
			ops = append(ops, more...)
		}
	}
	return ops, nil
}
