package auth

import (
	"context"
	"errors"
	"strings"
)

// Decision is what one authorizer of several says.
type Decision uint8

const (
	NoOpinion Decision = iota // the next is asked; if all have none, the request is refused
	Allow
	Deny
)

// Step is one authorizer of several, in an order that the cluster's AuthorizationConfiguration gives. Unlike the cluster's
// own, one may ask somebody outside; it bounds the time that this takes.
type Step func(ctx context.Context, a *Attributes) (d Decision, reason string, err error)

// NodeStep decides about nodes by what their pods need.
func (x *Access) NodeStep(_ context.Context, a *Attributes) (Decision, string, error) {
	name, ok := NodeName(a.User)
	if !ok {
		return NoOpinion, "", nil
	}
	allowed, reason := x.nodes.authorize(name, a)
	return decided(allowed), reason, nil
}

// RBACStep decides by roles.
func (x *Access) RBACStep(ctx context.Context, a *Attributes) (Decision, string, error) {
	allowed, reason, err := x.rbac.Authorize(ctx, *a)
	return decided(allowed), reason, err
}

func decided(allowed bool) Decision {
	if allowed {
		return Allow
	}
	return NoOpinion
}

// SetSteps replaces what is asked after the two rules that always come first (system:masters may everything, who is anonymous
// next to nothing). Without it that is NodeStep, then RBACStep. It may be called while requests are served.
func (x *Access) SetSteps(steps []Step) { x.steps.Store(&steps) }

// ask goes through the steps; the first that decides ends it.
func ask(ctx context.Context, steps []Step, a *Attributes) (bool, string, error) {
	var reasons []string
	var failed []error
	for _, step := range steps {
		decision, reason, err := step(ctx, a)
		if decision == Allow {
			return true, reason, nil
		}
		if reason != "" {
			reasons = append(reasons, reason)
		}
		if err != nil {
			failed = append(failed, err)
		}
		if decision == Deny {
			break
		}
	}
	return false, strings.Join(reasons, "\n"), errors.Join(failed...)
}
