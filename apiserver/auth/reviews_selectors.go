package auth

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// The selectors of a review narrow what is asked about (KEP-4601). What is not understood narrows nothing: the question is then
// about more than the request, and the answer errs to no.

// fieldSelectorOf also counts the terms that were not understood.
func fieldSelectorOf(s *authorizationv1.FieldSelectorAttributes) (_ fields.Selector, ignored int) {
	if s == nil {
		return nil, 0
	}
	if s.RawSelector != "" {
		parsed, err := fields.ParseSelector(s.RawSelector)
		if err != nil {
			return nil, 1
		}
		return parsed, 0
	}
	var terms []fields.Selector
	for _, r := range s.Requirements {
		switch {
		case r.Operator == metav1.FieldSelectorOpIn && len(r.Values) == 1:
			terms = append(terms, fields.OneTermEqualSelector(r.Key, r.Values[0]))
		case r.Operator == metav1.FieldSelectorOpNotIn && len(r.Values) == 1:
			terms = append(terms, fields.OneTermNotEqualSelector(r.Key, r.Values[0]))
		}
	}
	return fields.AndSelectors(terms...), len(s.Requirements) - len(terms)
}

var labelOperators = map[metav1.LabelSelectorOperator]selection.Operator{
	metav1.LabelSelectorOpIn: selection.In, metav1.LabelSelectorOpNotIn: selection.NotIn,
	metav1.LabelSelectorOpExists: selection.Exists, metav1.LabelSelectorOpDoesNotExist: selection.DoesNotExist,
}

// labelSelectorOf also counts the terms that were not understood.
func labelSelectorOf(s *authorizationv1.LabelSelectorAttributes) (_ labels.Selector, ignored int) {
	if s == nil {
		return nil, 0
	}
	if s.RawSelector != "" {
		parsed, err := labels.Parse(s.RawSelector)
		if err != nil {
			return nil, 1
		}
		return parsed, 0
	}
	selector := labels.NewSelector()
	for _, r := range s.Requirements {
		operator, ok := labelOperators[r.Operator]
		if !ok {
			ignored++
			continue
		}
		term, err := labels.NewRequirement(r.Key, operator, r.Values)
		if err != nil {
			ignored++
			continue
		}
		selector = selector.Add(*term)
	}
	return selector, ignored
}
