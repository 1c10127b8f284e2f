package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"proa/apiserver/auth"
)

// tokenTimeout bounds a question, as upstream's.
const tokenTimeout = 30 * time.Second

// Tokens asks a webhook whose a token is.
type Tokens struct {
	client  *client
	version string
}

// NewTokens makes the authenticator of a kubeconfig. version is of authentication.k8s.io: v1 or v1beta1, which look alike. Whoever
// uses it often puts auth.Remember before it.
func NewTokens(kubeconfig, version string) (*Tokens, error) {
	if version != "v1" && version != "v1beta1" {
		return nil, fmt.Errorf("authentication webhook: version %q of its reviews: expected v1 or v1beta1", version)
	}
	c, err := open(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("authentication webhook: %w", err)
	}
	return &Tokens{client: c, version: version}, nil
}

// Authenticate asks about a bearer token.
func (t *Tokens) Authenticate(r *http.Request) (auth.User, bool, error) {
	token, ok := auth.BearerToken(r)
	if !ok {
		return auth.User{}, false, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), tokenTimeout)
	defer cancel()
	review := authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review.APIVersion, review.Kind = authenticationv1.GroupName+"/"+t.version, "TokenReview"
	var answer authenticationv1.TokenReview
	if err := t.client.post(ctx, &review, &answer); err != nil {
		return auth.User{}, false, err
	}
	if !answer.Status.Authenticated {
		if answer.Status.Error != "" {
			return auth.User{}, false, errors.New(answer.Status.Error)
		}
		return auth.User{}, false, nil
	}
	said := answer.Status.User
	u := auth.User{Name: said.Username, UID: said.UID, Groups: said.Groups}
	for key, values := range said.Extra {
		if u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[key] = values
	}
	if u.Name == "" {
		return auth.User{}, false, errors.New("the authentication webhook names no user")
	}
	return u, true, nil
}
