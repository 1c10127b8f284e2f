package auth

import (
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReviewSelectors(t *testing.T) {
	r := &authorizationv1.ResourceAttributes{
		FieldSelector: &authorizationv1.FieldSelectorAttributes{Requirements: []metav1.FieldSelectorRequirement{
			{Key: "spec.nodeName", Operator: metav1.FieldSelectorOpIn, Values: []string{"n1"}},
			{Key: "status.phase", Operator: metav1.FieldSelectorOpNotIn, Values: []string{"Failed"}},
			{Key: "a", Operator: metav1.FieldSelectorOpIn, Values: []string{"b", "c"}}, // cannot be said as a selector
			{Key: "a", Operator: "Near", Values: []string{"b"}},                        // of a later version
		}},
		LabelSelector: &authorizationv1.LabelSelectorAttributes{Requirements: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}}, {Key: "old", Operator: metav1.LabelSelectorOpDoesNotExist},
			{Key: "a", Operator: "Near", Values: []string{"b"}},
		}},
	}
	if errs := checkSelectors(r, nil); len(errs) > 0 {
		t.Error(errs)
	}
	a := attributesOf(User{}, r, nil)
	if got := a.FieldSelector.String(); got != "spec.nodeName=n1,status.phase!=Failed" {
		t.Error(got)
	}
	if got := a.LabelSelector.String(); got != "app in (a,b),!old" {
		t.Error(got)
	}
	r.FieldSelector = &authorizationv1.FieldSelectorAttributes{RawSelector: "spec.nodeName=n2"}
	r.LabelSelector = &authorizationv1.LabelSelectorAttributes{RawSelector: "x in (y)"}
	a = attributesOf(User{}, r, nil)
	if a.FieldSelector.String() != "spec.nodeName=n2" || a.LabelSelector.String() != "x in (y)" {
		t.Error(a.FieldSelector, a.LabelSelector)
	}
	r.FieldSelector.Requirements = []metav1.FieldSelectorRequirement{{Key: "a", Operator: metav1.FieldSelectorOpIn}}
	r.LabelSelector = &authorizationv1.LabelSelectorAttributes{}
	got := checkSelectors(r, nil).ToAggregate().Error()
	for _, want := range []string{"fieldSelector.rawSelector", "may not specified at the same time", "fieldSelector.requirements[0].values", "labelSelector.requirements: Required"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}
