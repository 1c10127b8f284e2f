// Package certificate acts on CertificateSigningRequests: it approves those of nodes that may have what they ask for, signs
// what was approved for a signer of the system, and deletes what is over.
//
// It decides who is approved by asking the API for the requester's rights, what a certificate says, and when a request
// is over; it owns the approval of nodes' requests and the certificates of the four signers of kubernetes.io. The controller
// host calls it. When the authority cannot sign, the request stays as it is and comes back with growing delay.
package certificate

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/certificates"
	"proa/reconcile"
)

const (
	table    = "certificatesigningrequests.certificates.k8s.io"
	reviews  = "subjectaccessreviews.authorization.k8s.io"
	identity = "system:serviceaccount:kube-system:certificate-controller"
)

type request = certificatesv1.CertificateSigningRequest

// May says whether somebody is allowed what a review asks about.
type May func(ctx context.Context, c client.Client, review *authorizationv1.SubjectAccessReview) (bool, error)

// Ask lets the API answer a review.
func Ask(ctx context.Context, c client.Client, review *authorizationv1.SubjectAccessReview) (bool, error) {
	answered, err := c.Create(ctx, client.Ref{Table: reviews}, "", review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("review access of %s: %w", review.Spec.User, err)
	}
	got, ok := answered.(*authorizationv1.SubjectAccessReview)
	return ok && got.Status.Allowed, nil
}

// NewApprover makes the controller that approves client certificates of nodes.
func NewApprover(may May) reconcile.Controller {
	return about("csrapproving", "approval", func(ctx context.Context, req reconcile.Request, r *request) error {
		return approve(ctx, req, r, may)
	})
}

// about makes a controller that does something about each request, of which it writes one part.
func about(name, part string, act func(context.Context, reconcile.Request, *request) error) reconcile.Controller {
	return reconcile.Controller{
		Name: name, Identity: identity,
		Reads:  []reconcile.Read{{Table: table, Keys: reconcile.Self}},
		Writes: []string{table + "(" + part + ")"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			r, ok := client.Get[*request](req.View, table, "", req.Name)
			if !ok {
				return reconcile.Result{}, nil
			}
			return reconcile.Result{}, act(ctx, req, r)
		},
	}
}

func approve(ctx context.Context, req reconcile.Request, r *request, may May) error {
	if len(r.Status.Certificate) > 0 || decided(r) {
		return nil
	}
	for _, right := range rights(r) {
		allowed, err := may(ctx, req.Client, review(r, right.subresource))
		if err != nil {
			return err
		}
		if !allowed {
			continue
		}
		approved := r.DeepCopy()
		approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "AutoApproved", Message: right.message})
		if _, err := req.Client.Update(ctx, client.RefOf(table, r), "approval", approved, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("approve certificate request %s: %w", r.Name, err)
		}
		return nil
	}
	return nil
}

func decided(r *request) bool {
	return slices.ContainsFunc(r.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
		return c.Type == certificatesv1.CertificateApproved || c.Type == certificatesv1.CertificateDenied
	})
}

// right is one that lets a request be approved without a human.
type right struct{ subresource, message string }

// rights lists those that would do for a request, each worded as upstream's message.
func rights(r *request) []right {
	if r.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName {
		return nil
	}
	parsed, err := certificates.ParseRequest(r.Spec.Request)
	if err != nil || certificates.CheckNodeClient(parsed, r.Spec.Usages) != nil {
		return nil
	}
	var all []right
	if r.Spec.Username == parsed.Subject.CommonName {
		all = append(all, right{"selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."})
	}
	return append(all, right{"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."})
}

func review(r *request, subresource string) *authorizationv1.SubjectAccessReview {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range r.Spec.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: r.Spec.Username, UID: r.Spec.UID, Groups: r.Spec.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "create", Group: certificatesv1.GroupName, Version: "*",
			Resource: "certificatesigningrequests", Subresource: subresource},
	}}
}
