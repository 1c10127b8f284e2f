package chain

import (
	"context"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
		if c.Audit != nil {
			audit.From(r.Context()).Decided(allowed, reason)
		}
		if !allowed {
			err = Forbidden(attributes, reason, err)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			Refuse(w, r, err)
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

// Authorize turns a decision into nil or a 403 in upstream's words.
func Authorize(ctx context.Context, authorizer auth.Authorizer, a auth.Attributes) error {
	allowed, reason, err := authorizer.Authorize(ctx, a)
	if allowed {
		return nil
	}
	return Forbidden(a, reason, err)
}

// Forbidden is the 403 that says who may not do what.
func Forbidden(a auth.Attributes, reason string, cause error) error {
	message := fmt.Sprintf("User %q cannot %s path %q", a.User.Name, a.Verb, a.Path)
	if a.IsResourceRequest {
		message = resourceMessage(a)
	}
	if reason != "" {
		message += ": " + reason
	}
	if cause != nil {
		message += fmt.Sprintf(": %v", cause)
	}
	if !a.IsResourceRequest {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden,
			Reason: metav1.StatusReasonForbidden, Details: &metav1.StatusDetails{}, Message: "forbidden: " + message}}
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.APIGroup, Resource: a.Resource}, a.Name, fmt.Errorf("%s", message))
}

func resourceMessage(a auth.Attributes) string {
	name := a.User.Name
	if name == "" {
		name = auth.Anonymous
	}
	resource := a.Resource
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	if a.Namespace != "" {
		return fmt.Sprintf("User %q cannot %s resource %q in API group %q in the namespace %q", name, a.Verb, resource, a.APIGroup, a.Namespace)
	}
	return fmt.Sprintf("User %q cannot %s resource %q in API group %q at the cluster scope", name, a.Verb, resource, a.APIGroup)
}
