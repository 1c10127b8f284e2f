package auth

import (
	"slices"
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
	a, ignored := attributesOf(User{}, r, nil)
	want := []string{"spec.resourceAttributes.fieldSelector partially ignored due to parse error", "spec.resourceAttributes.labelSelector partially ignored due to parse error"}
	if !slices.Equal(ignored, want) {
		t.Error(ignored)
	}
	if got := a.FieldSelector.String(); got != "spec.nodeName=n1,status.phase!=Failed" {
		t.Error(got)
	}
	if got := a.LabelSelector.String(); got != "app in (a,b),!old" {
		t.Error(got)
	}
	r.FieldSelector = &authorizationv1.FieldSelectorAttributes{RawSelector: "spec.nodeName=n2"}
	r.LabelSelector = &authorizationv1.LabelSelectorAttributes{RawSelector: "x in (y)"}
	a, ignored = attributesOf(User{}, r, nil)
	if a.FieldSelector.String() != "spec.nodeName=n2" || a.LabelSelector.String() != "x in (y)" || len(ignored) > 0 {
		t.Error(a.FieldSelector, a.LabelSelector, ignored)
	}
	r.FieldSelector.RawSelector, r.LabelSelector = "not one", nil
	if _, ignored = attributesOf(User{}, r, nil); !slices.Equal(ignored, []string{"spec.resourceAttributes.fieldSelector ignored due to parse error"}) {
		t.Error(ignored)
	}
}
