package verbs

import (
	"context"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

var tokenRequestKind = authenticationv1.SchemeGroupVersion.WithKind("TokenRequest")

// TokenIssuer makes tokens of service accounts. It is called from many goroutines; request is not to be changed.
type TokenIssuer interface {
	Request(namespace, name string, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error)
}

// RequestToken makes a token of the service account that q names.
func (v *Verbs) RequestToken(ctx context.Context, q Request, request *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
	if v.Tokens == nil {
		return nil, notFound(&q)
	}
	if request.Name != "" && request.Name != q.Name {
		return nil, apierrors.NewBadRequest("service account name does not match the URL")
	}
	if request.Namespace != "" && request.Namespace != q.Namespace {
		return nil, apierrors.NewBadRequest("service account namespace does not match the URL")
	}
	request = request.DeepCopy() // admission may change it
	request.SetGroupVersionKind(tokenRequestKind)
	a := v.attributes(&q, admit.Create, nil, nil, v.Store.Snapshot(), false)
	a.Body = &admit.Body{Operation: admit.Create, Kind: tokenRequestKind, Object: request}
	if err := v.Admission.Admit(ctx, a); err != nil {
		return nil, err
	}
	if err := v.Admission.Validate(ctx, a); err != nil {
		return nil, err
	}
	out, err := v.Tokens.Request(q.Namespace, q.Name, request)
	if err != nil {
		return nil, err
	}
	out.SetGroupVersionKind(tokenRequestKind)
	return out, nil
}

// tokenRequests is the row of what is never stored, for the keeper of field ownership.
var tokenRequests = &resource.Resource{
	Group: tokenRequestKind.Group, Version: tokenRequestKind.Version, Name: "tokenrequests", Kind: tokenRequestKind.Kind,
	New: func() resource.Object { return &authenticationv1.TokenRequest{} },
}

// ownTokenRequest makes the client the owner of what it asks for, which it reads in the answer as with all that is created.
func (v *Verbs) ownTokenRequest(q *Request, request *authenticationv1.TokenRequest, manager string) error {
	if request.Spec.ExpirationSeconds == nil {
		request.Spec.ExpirationSeconds = new(int64(auth.TokenDefaultSeconds))
	}
	if !resetsManagedFields(request) {
		request.SetManagedFields(nil)
	}
	return v.Fields.Update(encode.Stored(tokenRequests), q.Subresource, nil, request, q.manager(manager), v.Clock.Now())
}

func (v *Verbs) serveTokenRequest(w http.ResponseWriter, c *call) error {
	opts, err := c.createOptions()
	if err != nil {
		return err
	}
	request := &authenticationv1.TokenRequest{}
	if err := c.body(tokenRequestKind, request, opts.FieldValidation); err != nil {
		return err
	}
	if err := v.ownTokenRequest(&c.Request, request, opts.FieldManager); err != nil {
		return err
	}
	out, err := v.RequestToken(c.raw.Context(), c.Request, request)
	if err != nil {
		return err
	}
	return c.respond(v).Part(w, http.StatusCreated, c.Version, tokenRequests, out)
}
