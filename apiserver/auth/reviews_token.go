package auth

import (
	"context"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// token says whose a token is. A bad token is an answer, not an error. Of a status that a client sends stays, as upstream has
// it, what is not answered: it tells nobody but that client.
func (v *Reviews) token(ctx context.Context, review *authenticationv1.TokenReview) error {
	if review.Spec.Token == "" {
		return apierrors.NewBadRequest("token is required for TokenReview in authentication")
	}
	audiences := review.Spec.Audiences
	if len(audiences) == 0 {
		audiences = v.Tokens.cfg.Audiences
	}
	u, matched, ok, err := v.Tokens.Check(ctx, review.Spec.Token, audiences)
	if !ok && err == nil {
		u, ok = v.otherToken(ctx, review.Spec.Token)
		matched = audiences // what names no audience is for all
	}
	review.Status.Authenticated = ok && err == nil
	switch {
	case err != nil:
		review.Status.Error = "[invalid bearer token, " + err.Error() + "]"
	case !ok:
		review.Status.Error = "invalid bearer token"
	default:
		review.Status.User = authenticated(u).Info()
		review.Status.Audiences = matched
	}
	return nil
}

func (v *Reviews) otherToken(ctx context.Context, token string) (User, bool) {
	r := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}).WithContext(ctx)
	for _, other := range v.Others {
		if u, ok, err := other.Authenticate(r); ok && err == nil {
			return u, true
		}
	}
	return User{}, false
}
