package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver/admit/review"
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

// invocations lists the policies that a write concerns, and those of which that cannot be told.
func (p *Policies) invocations(w *review.Write, policies []*policy) (all []invocation, wrong []misfit) {
	for _, policy := range policies {
		fail := func(b *binding, err error) {
			what := "policy"
			if b != nil {
				what = "binding"
			}
			wrong = append(wrong, misfit{policy, b, fmt.Errorf("failed to configure %s: %w", what, err)})
		}
		form, matches, err := matchOf(policy.match, policy.broken, w)
		if err != nil {
			fail(nil, err)
			continue
		}
		if !matches {
			continue
		}
		kind, err := p.paramKind(policy.params)
		if err != nil {
			fail(nil, err)
			continue
		}
		for _, b := range policy.bindings {
			_, matches, err := matchOf(b.match, b.broken, w)
			if err != nil {
				fail(b, err)
				continue
			}
			if !matches {
				continue
			}
			params, err := collect(w, kind, b.params)
			if err != nil {
				fail(b, err)
				continue
			}
			for _, param := range params {
				all = append(all, invocation{policy, b, param, form})
			}
		}
	}
	return all, wrong
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
