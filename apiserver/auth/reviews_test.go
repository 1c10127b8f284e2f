package auth_test

import (
	"context"
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
	"proa/kinds/resource"
)

func groupsOf(u auth.User) string { return fmt.Sprint(u.Groups) }

func reviewWorld(t *testing.T) (*tokenWorld, func(u auth.User, namespace string, obj resource.Object) (resource.Object, error)) {
	w := newTokenWorld(t)
	w.put(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "r"},
		Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "r"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}})
	reviews := &auth.Reviews{Access: auth.NewAccess(w.state), Tokens: w.tokens,
		Others: []auth.Authenticator{auth.NewStaticTokens(map[string]auth.User{"join": auth.Joiner()})}}
	return w, func(u auth.User, namespace string, obj resource.Object) (resource.Object, error) {
		return reviews.Answer(context.Background(), u, namespace, obj)
	}
}

func TestAccessReviews(t *testing.T) {
	_, answer := reviewWorld(t)
	pods := func(verb, namespace string) *authorizationv1.ResourceAttributes {
		return &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Namespace: namespace}
	}
	root := auth.User{Name: "root", Groups: []string{"system:masters"}}
	for _, c := range []struct {
		as        auth.User
		namespace string
		review    resource.Object
		allowed   bool
	}{
		{auth.User{Name: "ann"}, "", &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: pods("get", "a")}}, true},
		{auth.User{Name: "bob"}, "", &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: pods("get", "a")}}, false},
		{root, "", &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "ann", ResourceAttributes: pods("get", "a")}}, true},
		{root, "", &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "ann", ResourceAttributes: pods("get", "b")}}, false},
		{root, "", &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{Groups: []string{"system:masters"}, NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: "/x"}}}, true},
		{root, "a", &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}, Spec: authorizationv1.SubjectAccessReviewSpec{User: "ann", ResourceAttributes: pods("get", "a")}}, true},
	} {
		out, err := answer(c.as, c.namespace, c.review)
		if err != nil {
			t.Error(err)
			continue
		}
		var status authorizationv1.SubjectAccessReviewStatus
		switch r := out.(type) {
		case *authorizationv1.SelfSubjectAccessReview:
			status = r.Status
		case *authorizationv1.SubjectAccessReview:
			status = r.Status
		case *authorizationv1.LocalSubjectAccessReview:
			status = r.Status
		}
		if status.Allowed != c.allowed || status.Denied {
			t.Errorf("%T of %s: %+v", c.review, c.as.Name, status)
		}
	}
	elsewhere := &authorizationv1.LocalSubjectAccessReview{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}, Spec: authorizationv1.SubjectAccessReviewSpec{User: "ann", ResourceAttributes: pods("get", "a")}}
	if _, err := answer(root, "b", elsewhere); !apierrors.IsBadRequest(err) {
		t.Error(err)
	}
}

func TestRulesReview(t *testing.T) {
	_, answer := reviewWorld(t)
	out, err := answer(auth.User{Name: "ann"}, "", &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	status := out.(*authorizationv1.SelfSubjectRulesReview).Status
	if len(status.ResourceRules) != 1 || status.ResourceRules[0].Resources[0] != "pods" || status.Incomplete {
		t.Errorf("%+v", status)
	}
	if _, err := answer(auth.User{Name: "ann"}, "", &authorizationv1.SelfSubjectRulesReview{}); !apierrors.IsBadRequest(err) {
		t.Error(err)
	}
}

func TestIdentityReviews(t *testing.T) {
	w, answer := reviewWorld(t)
	out, err := answer(auth.User{Name: "ann", Groups: []string{"team"}}, "", &authenticationv1.SelfSubjectReview{})
	if err != nil || out.(*authenticationv1.SelfSubjectReview).Status.UserInfo.Username != "ann" {
		t.Error(out, err)
	}
	ask := func(token string, audiences ...string) authenticationv1.TokenReviewStatus {
		out, err := answer(auth.User{}, "", &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}})
		if err != nil {
			t.Fatal(err)
		}
		return out.(*authenticationv1.TokenReview).Status
	}
	token := w.issue(authenticationv1.TokenRequestSpec{Audiences: []string{"vault", "other"}})
	if s := ask(token, "vault", "x"); !s.Authenticated || s.User.Username != "system:serviceaccount:a:robot" || fmt.Sprint(s.Audiences) != "[vault]" {
		t.Errorf("%+v", s)
	}
	if s := ask(token); s.Authenticated || s.Error == "" {
		t.Errorf("a token for vault is good for the API server: %+v", s)
	}
	if s := ask("join"); !s.Authenticated || s.User.Username != "system:bootstrap:proa" {
		t.Errorf("%+v", s)
	}
	if s := ask("rubbish"); s.Authenticated || s.Error == "" {
		t.Errorf("%+v", s)
	}
}
