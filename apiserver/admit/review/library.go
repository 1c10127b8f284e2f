package review

import (
	"context"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"proa/apiserver/auth"
)

// Versioned is the write as the library that evaluates expressions wants it.
func (w *Write) Versioned(f Form) (*admission.VersionedAttributes, error) {
	now, old, err := w.Objects(f)
	if err != nil {
		return nil, err
	}
	asked := w.Asked()
	who := &user.DefaultInfo{Name: w.User.Name, UID: w.User.UID, Groups: w.User.Groups, Extra: w.User.Extra}
	record := admission.NewAttributesRecord(now, old, asked.Kind, w.Where(), w.Named(), asked.Resource, w.Subresource,
		admission.Operation(w.Does()), w.Options, w.DryRun, who)
	return &admission.VersionedAttributes{Attributes: record, VersionedKind: f.Kind, VersionedObject: now, VersionedOldObject: old}, nil
}

// Authorizer is what expressions ask whether somebody may do something.
type Authorizer struct{ Ask auth.Authorizer }

// Authorize implements the library's interface.
func (z Authorizer) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	who := auth.User{}
	if u := a.GetUser(); u != nil {
		who = auth.User{Name: u.GetName(), UID: u.GetUID(), Groups: u.GetGroups(), Extra: u.GetExtra()}
	}
	allowed, reason, err := z.Ask.Authorize(ctx, auth.Attributes{User: who, Verb: a.GetVerb(), APIGroup: a.GetAPIGroup(),
		APIVersion: a.GetAPIVersion(), Resource: a.GetResource(), Subresource: a.GetSubresource(), Namespace: a.GetNamespace(),
		Name: a.GetName(), Path: a.GetPath(), IsResourceRequest: a.IsResourceRequest()})
	if allowed {
		return authorizer.DecisionAllow, reason, nil
	}
	return authorizer.DecisionNoOpinion, reason, err
}
