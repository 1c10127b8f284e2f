package certificate_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"

	"proa/client"
	"proa/controllers/certificate"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// authorityKey signs alike each time, so that scripts print alike.
var authorityKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

var authority = &x509.Certificate{NotAfter: time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC)}

func sign(template *x509.Certificate, public any) ([]byte, error) {
	t := *template
	t.SerialNumber = big.NewInt(1)
	der, err := x509.CreateCertificate(rand.Reader, &t, authority, public, authorityKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

// may is what the roles of the scripts' cluster allow.
func may(_ context.Context, _ client.Client, review *authorizationv1.SubjectAccessReview) (bool, error) {
	a := review.Spec.ResourceAttributes
	right := review.Spec.User + " " + a.Verb + " " + a.Resource + "." + a.Group + "/" + a.Subresource
	return right == "system:node:n1 create certificatesigningrequests.certificates.k8s.io/selfnodeclient" ||
		right == "bootstrap create certificatesigningrequests.certificates.k8s.io/nodeclient", nil
}

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{certificate.NewApprover(may), certificate.NewSigner(sign), certificate.NewCleaner()}
	})
}
