// Package policy holds writes against the policies that users wrote in CEL, and lets such policies change objects.
//
// It decides which policies a write concerns, by which bindings and with which parameters, and what their expressions make of
// it; it owns their compiled form. The chain of admission steps calls it for every write; where there is no policy or no binding,
// that costs a look at counters. Expressions are compiled when the first write meets them. A policy that cannot be evaluated
// refuses the write, or is passed over, as its failurePolicy says.
package policy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/admission"

	"proa/apiserver/admit"
	"proa/apiserver/admit/review"
	"proa/apiserver/auth"
	"proa/apiserver/patch"
	"proa/kinds"
	"proa/kinds/admissionregistration"
)

// Config says what policies work with.
type Config struct {
	Authorizer auth.Authorizer // required: what expressions ask
	Kinds      *kinds.Table    // required: of parameters
	Scheme     *runtime.Scheme // required: names the Go types of Kinds
}

// Policies is both kinds of policies. It is safe for many goroutines.
type Policies struct {
	cfg                  Config
	mutating, validating bound
	converter            func() (managedfields.TypeConverter, error)
	library              admission.ObjectInterfaces
}

// bound is the policies of one kind and their bindings.
type bound struct {
	policies, bindings string // tables
	current            atomic.Pointer[compiled]
}

// New makes policies. It compiles nothing yet.
func New(c Config) (*Policies, error) {
	if c.Authorizer == nil || c.Kinds == nil || c.Scheme == nil {
		return nil, errors.New("make admission policies: Authorizer, Kinds and Scheme are required")
	}
	p := &Policies{cfg: c, library: admission.NewObjectInterfacesFromScheme(c.Scheme)}
	p.converter = sync.OnceValues(func() (managedfields.TypeConverter, error) { return patch.NewConverter(c.Scheme) })
	p.mutating.policies, p.mutating.bindings = admissionregistration.MutatingPoliciesTable, admissionregistration.MutatingBindingsTable
	p.validating.policies, p.validating.bindings = admissionregistration.ValidatingPoliciesTable, admissionregistration.ValidatingBindingsTable
	return p, nil
}

// of lists the policies that a write may concern, by name.
func (b *bound) of(a *admit.Attributes) []*policy {
	if a.Snapshot.Len(b.policies, "") == 0 || a.Snapshot.Len(b.bindings, "") == 0 || review.Of(a).Exempt() {
		return nil
	}
	now := b.current.Load()
	if !now.isOf(a.Snapshot, b.policies, b.bindings) {
		now = compile(a.Snapshot, b, now)
		b.current.Store(now)
	}
	return now.policies
}

// Validate lets policies refuse the write.
func (p *Policies) Validate(ctx context.Context, a *admit.Attributes) error {
	policies := p.validating.of(a)
	if len(policies) == 0 {
		return nil
	}
	return p.validate(ctx, review.Of(a), policies)
}

// Mutate lets policies change the object.
func (p *Policies) Mutate(ctx context.Context, a *admit.Attributes) error {
	policies := p.mutating.of(a)
	if len(policies) == 0 {
		return nil
	}
	return p.mutate(ctx, review.Of(a), policies)
}
