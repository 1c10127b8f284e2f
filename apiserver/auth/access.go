package auth

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Access is the authorizer of the API server. It asks, in this order, and the first that allows decides:
//
//  1. a member of system:masters may do everything;
//  2. who is anonymous may see version and health, and nothing else, whatever was bound to them;
//  3. a node may do what its pods need (see nodeAccess);
//  4. what a role allows.
type Access struct {
	rbac  *RBAC
	nodes *nodeAccess
	steps atomic.Pointer[[]Step] // instead of 3 and 4; see SetSteps
}

// NewAccess decides by the newest state of source.
func NewAccess(source Source) *Access {
	return &Access{rbac: NewRBAC(source), nodes: &nodeAccess{source: source}}
}

// RBAC is the part that knows roles.
func (x *Access) RBAC() *RBAC { return x.rbac }

// Authorize implements Authorizer.
func (x *Access) Authorize(ctx context.Context, a Attributes) (bool, string, error) {
	if a.User.InGroup(GroupMasters) {
		return true, "", nil
	}
	if a.User.InGroup(GroupAnonymous) || a.User.Name == Anonymous {
		return !a.IsResourceRequest && a.Verb == "get" && publicPath(a.Path), "", nil
	}
	if steps := x.steps.Load(); steps != nil {
		forSteps := a
		return ask(ctx, *steps, &forSteps)
	}
	var nodeReason string
	if name, ok := NodeName(a.User); ok {
		var allowed bool
		forNode := a // a copy goes to the heap there, so that a does not for everybody else
		if allowed, nodeReason = x.nodes.authorize(name, &forNode); allowed {
			return true, "", nil
		}
	}
	allowed, reason, err := x.rbac.Authorize(ctx, a)
	if !allowed && nodeReason != "" {
		reason = strings.TrimPrefix(reason+"\n"+nodeReason, "\n")
	}
	return allowed, reason, err
}

// publicPath says what anybody may see.
func publicPath(path string) bool {
	switch path {
	case "/version", "/version/":
		return true
	}
	for _, health := range [...]string{"/healthz", "/livez", "/readyz"} {
		if path == health || strings.HasPrefix(path, health+"/") {
			return true
		}
	}
	return false
}

// NodeName is the node that a user is, if it is one.
func NodeName(u User) (string, bool) {
	name, ok := strings.CutPrefix(u.Name, NodeUserPrefix)
	return name, ok && name != "" && u.InGroup(GroupNodes)
}

// Forbidden is the answer to a request that was refused, worded as upstream does.
func Forbidden(a Attributes, reason string) *apierrors.StatusError {
	message := EscapeHTML(describe(&a))
	if reason != "" {
		message += ": " + reason
	}
	return apierrors.NewForbidden(schema.GroupResource{Group: a.APIGroup, Resource: a.Resource}, a.Name, fmt.Errorf("%s", message))
}

func describe(a *Attributes) string {
	if !a.IsResourceRequest {
		return fmt.Sprintf("User %q cannot %s path %q", a.User.Name, a.Verb, a.Path)
	}
	resource := a.Resource
	if a.Subresource != "" {
		resource += "/" + a.Subresource
	}
	where := "at the cluster scope"
	if a.Namespace != "" {
		where = fmt.Sprintf("in the namespace %q", a.Namespace)
	}
	return fmt.Sprintf("User %q cannot %s resource %q in API group %q %s", a.User.Name, a.Verb, resource, a.APIGroup, where)
}

// EscapeHTML keeps a path that somebody was tricked into following from being read as a page.
func EscapeHTML(text string) string { return htmlEscapes.Replace(text) }

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
