package chain

import (
	"context"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
)

// authorized asks whether the user may do what the path says.
func (c *Config) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		attributes := Attributes(user, InfoFrom(r.Context()))
		allowed, reason, err := c.Authorizer.Authorize(r.Context(), attributes)
		if c.Counts != nil {
			c.Counts.decided.authorized(allowed, err)
		}
		if !allowed && err != nil { // who answers for it could not be asked; RBAC always can
			audit.From(r.Context()).Annotate("authorization.k8s.io/reason", "internal error")
			http.Error(w, auth.EscapeHTML(fmt.Sprintf("Internal Server Error: %q: %v", r.RequestURI, err)), http.StatusInternalServerError)
			return
		}
		if c.Audit != nil {
			audit.From(r.Context()).Decided(allowed, reason)
		}
		if !allowed {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			Refuse(w, r, auth.Forbidden(attributes, reason))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Attributes is what authorization sees of a request.
func Attributes(user auth.User, info *Info) auth.Attributes {
	a := auth.Attributes{User: user, Verb: info.Verb, APIGroup: info.Group, APIVersion: info.Version, Resource: info.Resource,
		Subresource: info.Subresource, Namespace: info.Namespace, Name: info.Name, Path: info.Path, IsResourceRequest: info.IsResource}
	if info.FieldSelector != "" {
		if s, err := fields.ParseSelector(info.FieldSelector); err == nil {
			a.FieldSelector = s
		}
	}
	if info.LabelSelector != "" {
		if s, err := labels.Parse(info.LabelSelector); err == nil {
			a.LabelSelector = s
		}
	}
	return a
}

// Authorize turns a decision into nil, a 403 in upstream's words, or a 500 if there is none.
func Authorize(ctx context.Context, authorizer auth.Authorizer, a auth.Attributes) error {
	allowed, reason, err := authorizer.Authorize(ctx, a)
	return Decided(a, allowed, reason, err)
}

// Decided is Authorize for a decision that was made.
func Decided(a auth.Attributes, allowed bool, reason string, err error) error {
	switch {
	case allowed:
		return nil
	case err != nil:
		return apierrors.NewInternalError(err)
	}
	return auth.Forbidden(a, reason)
}
