package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver/admit/review"
	"proa/apiserver/encode"
)

// invocation is a policy that is to be evaluated, by one binding and with one parameter.
type invocation struct {
	policy  *policy
	binding *binding
	param   runtime.Object // nil: none
	form    review.Form
}

// misfit is a policy that cannot be evaluated.
type misfit struct {
	policy  *policy
	binding *binding // nil: the policy itself is wrong
	err     error
}

// misfit names what is wrong with the policy, or with one of its bindings.
func (p *policy) misfit(b *binding, err error) misfit {
	what := "policy"
	if b != nil {
		what = "binding"
	}
	return misfit{p, b, fmt.Errorf("failed to configure %s: %w", what, err)}
}

// invocations lists the policies that a write concerns, and those of which that cannot be told.
func (p *Policies) invocations(w *review.Write, policies []*policy) (all []invocation, wrong []misfit) {
	for _, policy := range policies {
		form, matches, err := matchOf(policy.match, policy.broken, w)
		if err == nil && !matches {
			continue
		}
		var kind *encode.Version
		if err == nil {
			kind, err = p.paramKind(policy.params)
		}
		if err != nil {
			wrong = append(wrong, policy.misfit(nil, err))
			continue
		}
		for _, b := range policy.bindings {
			params, err := b.paramsFor(w, kind)
			if err != nil {
				wrong = append(wrong, policy.misfit(b, err))
				continue
			}
			if len(params) == 0 {
				continue
			}
			if misfit, ok := policy.shows(w, b, form); !ok {
				wrong = append(wrong, misfit)
				continue
			}
			for _, param := range params {
				all = append(all, invocation{policy, b, param, form})
			}
		}
	}
	return all, wrong
}

// paramsFor lists what a policy is to be evaluated with because of a binding; none if that does not concern the write.
func (b *binding) paramsFor(w *review.Write, kind *encode.Version) ([]runtime.Object, error) {
	if _, matches, err := matchOf(b.match, b.broken, w); err != nil || !matches {
		return nil, err
	}
	return collect(w, kind, b.params)
}

// shows says whether the write can be shown in the form that the policy is about; a webhook may have to convert it.
func (p *policy) shows(w *review.Write, b *binding, form review.Form) (misfit, bool) {
	_, _, err := w.Objects(form)
	switch {
	case err == nil:
		return misfit{}, true
	case p.mutating != nil:
		return p.misfit(nil, err), false
	}
	return p.misfit(b, fmt.Errorf("failed to convert object version: %w", err)), false
}

func matchOf(m *review.Match, broken error, w *review.Write) (review.Form, bool, error) {
	if broken != nil {
		return review.Form{}, false, broken
	}
	return m.Of(w)
}

// namespaceOf is what expressions see of the write's namespace; nil for what is in none, and for namespaces themselves.
func namespaceOf(w *review.Write) (*corev1.Namespace, error) {
	if w.Namespace == "" || w.Where() != w.Namespace || w.Attributes.Resource.Table() == "namespaces" {
		return nil, nil
	}
	namespace, ok := w.NamespaceObject()
	if !ok {
		return nil, apierrors.NewNotFound(corev1.Resource("namespaces"), w.Namespace)
	}
	return namespace, nil
}
