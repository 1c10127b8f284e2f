package admit

import (
	"context"
	"time"

	"proa/apiserver/auth"
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

// Attributes is one write on its way. A step may change Object, nothing else.
type Attributes struct {
	Operation   Operation
	Resource    *resource.Resource
	Subresource string
	Namespace   string
	Name        string // empty while a name is still to be generated
	User        auth.User
	Object      resource.Object // new; nil for Delete. Of subresources: the object they belong to, as it will be
	Body        any             // of subresources with a body of their own, such as *corev1.Binding
	Old         resource.Object // stored; nil for Create. Shared: not to be changed
	DryRun      bool
	Snapshot    store.Snapshot // what was committed when this try began
	Now         time.Time
	Warn        func(string) // never nil
}

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
	Name     string
	Admit    func(ctx context.Context, a *Attributes) error // in order, before the kind's own rules
	Validate func(ctx context.Context, a *Attributes) error // in order, after them; changes nothing
	// Claim is what must be committed together with the object, where ClaimsFor.
	ClaimsFor func(table string, snap store.Snapshot, namespace string) bool
	Claim     func(ctx context.Context, a *Attributes) ([]store.Op, error) // after validation; changes nothing
}

// Chain runs steps in order.
type Chain struct{ steps []Step }

// New makes a chain of steps.
func New(steps ...Step) *Chain { return &Chain{steps} }

// Names lists the steps in order.
func (c *Chain) Names() []string {
	var names []string
	for _, s := range c.steps {
		names = append(names, s.Name)
	}
	return names
}

// Admit lets all steps change or refuse the object.
func (c *Chain) Admit(ctx context.Context, a *Attributes) error {
	for i := range c.steps {
		if f := c.steps[i].Admit; f != nil {
			if err := f(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// Validate lets all steps refuse the object as it will be stored.
func (c *Chain) Validate(ctx context.Context, a *Attributes) error {
	for i := range c.steps {
		if f := c.steps[i].Validate; f != nil {
			if err := f(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
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
