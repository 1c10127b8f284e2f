package auth

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/kinds/resource"
)

// Reviews answers the kinds that ask who somebody is and what they may do. It is safe for many goroutines.
type Reviews struct {
	Access *Access // required
	Tokens *Tokens // required
	// Others are further checkers of bearer tokens, asked after Tokens: static tokens. Optional.
	Others []Authenticator
}

// Answer returns the review with its status filled in. u is who asks; namespace is the request's, empty for kinds without.
// obj is valid by the rules of its kind; it may be changed and is what is returned, but for SelfSubjectReview.
func (v *Reviews) Answer(ctx context.Context, u User, namespace string, obj resource.Object) (resource.Object, error) {
	switch review := obj.(type) {
	case *authenticationv1.TokenReview:
		return review, v.token(ctx, review)
	case *authenticationv1.SelfSubjectReview:
		return &authenticationv1.SelfSubjectReview{
			ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Now()},
			Status:     authenticationv1.SelfSubjectReviewStatus{UserInfo: u.Info()},
		}, nil
	case *authorizationv1.SelfSubjectAccessReview:
		a, ignored := attributesOf(u, review.Spec.ResourceAttributes, review.Spec.NonResourceAttributes)
		review.Status = v.decide(ctx, a, ignored)
		return review, nil
	case *authorizationv1.SubjectAccessReview:
		a, ignored := subjectAttributes(&review.Spec)
		review.Status = v.decide(ctx, a, ignored)
		return review, nil
	case *authorizationv1.LocalSubjectAccessReview:
		if err := checkLocal(review, namespace); err != nil {
			return nil, err
		}
		a, ignored := subjectAttributes(&review.Spec)
		review.Status = v.decide(ctx, a, ignored)
		return review, nil
	case *authorizationv1.SelfSubjectRulesReview:
		if review.Spec.Namespace == "" {
			return nil, apierrors.NewBadRequest("no namespace on request")
		}
		return &authorizationv1.SelfSubjectRulesReview{Status: v.rules(u, review.Spec.Namespace)}, nil // as upstream: nothing of the question
	}
	return nil, apierrors.NewInternalError(fmt.Errorf("no answer for %T", obj))
}

func (v *Reviews) decide(ctx context.Context, a Attributes, ignored []string) authorizationv1.SubjectAccessReviewStatus {
	allowed, reason, err := v.Access.Authorize(ctx, a)
	status := authorizationv1.SubjectAccessReviewStatus{Allowed: allowed, Reason: reason}
	if err != nil {
		ignored = append([]string{err.Error()}, ignored...)
	}
	status.EvaluationError = strings.Join(ignored, "; ")
	return status
}

// rules lists what a user may do, as far as roles tell it.
func (v *Reviews) rules(u User, namespace string) authorizationv1.SubjectRulesReviewStatus {
	status := authorizationv1.SubjectRulesReviewStatus{
		ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{}}
	rules, err := v.Access.rbac.Rules(u, namespace)
	if err != nil {
		status.EvaluationError = err.Error()
	}
	for _, rule := range rules {
		if len(rule.Resources) > 0 {
			status.ResourceRules = append(status.ResourceRules, authorizationv1.ResourceRule{
				Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames})
		}
		if len(rule.NonResourceURLs) > 0 {
			status.NonResourceRules = append(status.NonResourceRules, authorizationv1.NonResourceRule{
				Verbs: rule.Verbs, NonResourceURLs: rule.NonResourceURLs})
		}
	}
	if _, isNode := NodeName(u); isNode {
		status.Incomplete = true
		status.EvaluationError = "node authorizer does not support user rule resolution"
	}
	return status
}
