package admit

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"

	"proa/apiserver/auth"
)

// signers says who may have certificates of which signer approved and issued.
type signers struct{ authorizer auth.Authorizer }

// approval is for those who may approve for the request's signer.
func (s *signers) approval(ctx context.Context, a *Attributes) error {
	old, ok := a.Old.(*certificatesv1.CertificateSigningRequest)
	if !ok || a.Operation != Update || a.Subresource != "approval" {
		return nil
	}
	return s.permit(ctx, a, "approve", old.Spec.SignerName)
}

// signing is for those who may sign as the request's signer.
func (s *signers) signing(ctx context.Context, a *Attributes) error {
	old, ok := a.Old.(*certificatesv1.CertificateSigningRequest)
	if !ok || a.Operation != Update || a.Subresource != "status" {
		return nil
	}
	now, ok := a.Object.(*certificatesv1.CertificateSigningRequest)
	if ok && bytes.Equal(now.Status.Certificate, old.Status.Certificate) && reflect.DeepEqual(now.Status.Conditions, old.Status.Conditions) {
		return nil
	}
	return s.permit(ctx, a, "sign", old.Spec.SignerName)
}

// permit asks about the signer, and about all signers of its domain.
func (s *signers) permit(ctx context.Context, a *Attributes, verb, signer string) error {
	domain, _, _ := strings.Cut(signer, "/")
	for _, name := range []string{signer, domain + "/*"} {
		allowed, _, err := s.authorizer.Authorize(ctx, auth.Attributes{User: a.User, Verb: verb, APIGroup: certificatesv1.GroupName,
			APIVersion: "*", Resource: "signers", Name: name, IsResourceRequest: true})
		if allowed {
			return nil
		}
		if err != nil {
			return Forbidden(a, fmt.Errorf("ask who may %s: %w", verb, err))
		}
	}
	return Forbidden(a, fmt.Errorf("user not permitted to %s requests with signerName %q", verb, signer))
}

// subject keeps certificates of the cluster's masters from being asked for: nothing could take them back.
func (s *signers) subject(_ context.Context, a *Attributes) error {
	csr, ok := a.Object.(*certificatesv1.CertificateSigningRequest)
	if !ok || a.Operation != Create || a.Subresource != "" || csr.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
		return nil
	}
	block, _ := pem.Decode(csr.Spec.Request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return Forbidden(a, errors.New("failed to parse CSR: PEM block type must be CERTIFICATE REQUEST"))
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Forbidden(a, fmt.Errorf("failed to parse CSR: %w", err))
	}
	if slices.Contains(request.Subject.Organization, auth.GroupMasters) {
		return Forbidden(a, fmt.Errorf("use of %s signer with %s group is not allowed", certificatesv1.KubeAPIServerClientSignerName, auth.GroupMasters))
	}
	return nil
}
