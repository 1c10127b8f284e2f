// Package auth decides who asks and whether they may: authentication, and RBAC and node authorization.
//
// It owns the token issuer, the caches of RBAC rules and of what each node's pods use, and the answers of the
// review kinds. Requests come from the filters of the API server; what it knows about roles, bindings, pods and
// accounts it reads from the store's newest snapshot, so a decision is never older than the last acknowledged
// write. When the store can no longer be written, decisions go on from what it still shows.
package auth

import (
	"context"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// Users and groups that upstream gives a meaning.
const (
	Anonymous           = "system:anonymous"
	GroupMasters        = "system:masters"
	GroupNodes          = "system:nodes"
	GroupBootstrappers  = "system:bootstrappers"
	GroupAuthenticated  = "system:authenticated"
	GroupAnonymous      = "system:unauthenticated"
	GroupAccounts       = "system:serviceaccounts"
	GroupMonitoring     = "system:monitoring"
	NodeUserPrefix      = "system:node:"
	AccountUserPrefix   = "system:serviceaccount:"
	AccountGroupPrefix  = "system:serviceaccounts:"
	CredentialID        = "authentication.kubernetes.io/credential-id"
	extraPodName        = "authentication.kubernetes.io/pod-name"
	extraPodUID         = "authentication.kubernetes.io/pod-uid"
	ExtraNodeName       = "authentication.kubernetes.io/node-name"
	extraNodeUID        = "authentication.kubernetes.io/node-uid"
	defaultTokenIssuer  = "https://kubernetes.default.svc.cluster.local"
	legacySecretIssuer  = "kubernetes/serviceaccount"
	serviceAccountTable = "serviceaccounts"
)

// User is who asks. It is a value that is shared along a request: nobody changes its slices or its map.
type User struct {
	Name   string
	UID    string
	Groups []string
	Extra  map[string][]string

	Shown *SecretToken // the token of a Secret that was shown; nil for every other credential
}

// SecretToken is a token that does not end, of which users and audits are told.
type SecretToken struct {
	Secret string
	// Made by the cluster itself, as clusters before v1.24 did for every account.
	Made bool
}

// InGroup says whether the user belongs to a group.
func (u User) InGroup(group string) bool {
	for _, g := range u.Groups {
		if g == group {
			return true
		}
	}
	return false
}

// Info is the user as API objects show one.
func (u User) Info() authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: u.Name, UID: u.UID, Groups: u.Groups}
	if len(u.Extra) > 0 {
		info.Extra = map[string]authenticationv1.ExtraValue{}
		for key, values := range u.Extra {
			info.Extra[key] = values
		}
	}
	return info
}

// Attributes is what a request wants to do. Verb is the API's ("get", "list", "deletecollection"; for streams see
// stream.Verb), or the lower-case HTTP method when IsResourceRequest is false; then only User, Verb and Path count.
type Attributes struct {
	User        User
	Verb        string
	APIGroup    string
	APIVersion  string
	Resource    string // plural: "pods"
	Subresource string // "log"; empty for the resource itself
	Namespace   string // empty for what is not in a namespace, and for all namespaces
	Name        string // empty for create by POST and for collections
	Path        string // URL path, for requests that are not about a resource

	IsResourceRequest bool

	// The selectors of a list, watch or deletecollection, nil when there are none.
	// Only the node authorizer narrows by them.
	FieldSelector fields.Selector
	LabelSelector labels.Selector
}

// Authenticator finds out who sent a request. It is called once for each request, from many goroutines.
type Authenticator interface {
	// Authenticate returns the user, or false when the request carries no credential that this authenticator
	// knows. An error means that it carries one and it is bad: the answer is 401.
	Authenticate(r *http.Request) (User, bool, error)
}

// Authorizer says whether a request is allowed. It is called once or more for each request, from many goroutines,
// and must be quick: it does no input or output, unless the cluster's configuration says to ask somebody outside.
type Authorizer interface {
	// Authorize returns the decision and, for people, its reason. allowed false with an error means that the
	// decision could not be made in full; the request is then refused just the same.
	Authorize(ctx context.Context, a Attributes) (allowed bool, reason string, err error)
}

type userKey struct{}

// WithUser returns a context that carries the user of a request.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// UserFrom returns the user that WithUser put there.
func UserFrom(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userKey{}).(User)
	return u, ok
}
