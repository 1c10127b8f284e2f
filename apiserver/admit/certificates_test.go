package admit

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// mayDo allows what it names: "approve example.com/*".
type mayDo string

func (m mayDo) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	return a.Resource == "signers" && a.APIGroup == "certificates.k8s.io" && string(m) == a.Verb+" "+a.Name, "", nil
}

func request(t *testing.T, organization string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "u", Organization: []string{organization}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// Who approves or signs needs to be allowed to for the signer, and nobody asks for a certificate of the cluster's masters.
func TestCertificatesAreForSigners(t *testing.T) {
	csr := func(signer string, change func(*certificatesv1.CertificateSigningRequest)) *certificatesv1.CertificateSigningRequest {
		c := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: signer}}
		if change != nil {
			change(c)
		}
		return c
	}
	signed := func(c *certificatesv1.CertificateSigningRequest) { c.Status.Certificate = []byte("x") }
	of := func(organization string) func(*certificatesv1.CertificateSigningRequest) {
		return func(c *certificatesv1.CertificateSigningRequest) { c.Spec.Request = request(t, organization) }
	}
	const masters = certificatesv1.KubeAPIServerClientSignerName
	for name, c := range map[string]struct {
		allowed     mayDo
		subresource string
		now, old    *certificatesv1.CertificateSigningRequest
		refusal     string
	}{
		"approve":            {"approve example.com/a", "approval", csr("example.com/a", nil), csr("example.com/a", nil), ""},
		"approve the domain": {"approve example.com/*", "approval", csr("example.com/a", nil), csr("example.com/a", nil), ""},
		"approve another": {"approve example.com/b", "approval", csr("example.com/a", nil), csr("example.com/a", nil),
			`user not permitted to approve requests with signerName "example.com/a"`},
		"approve by what is stored": {"approve example.com/b", "approval", csr("example.com/b", nil), csr("example.com/a", nil),
			`user not permitted to approve requests with signerName "example.com/a"`},
		"sign": {"sign example.com/a", "status", csr("example.com/a", signed), csr("example.com/a", nil), ""},
		"sign what one may approve": {"approve example.com/a", "status", csr("example.com/a", signed), csr("example.com/a", nil),
			`user not permitted to sign requests with signerName "example.com/a"`},
		"change nothing": {"", "status", csr("example.com/a", nil), csr("example.com/a", nil), ""},
		"ask":            {"", "", csr(masters, of("users")), nil, ""},
		"ask for masters": {"", "", csr(masters, of("system:masters")), nil,
			"use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"},
		"ask another for masters": {"", "", csr("example.com/a", of("system:masters")), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &signers{c.allowed}
			row := &resource.Resource{Group: "certificates.k8s.io", Name: "certificatesigningrequests"}
			a := &Attributes{Operation: Create, Version: encode.Stored(row), Subresource: c.subresource, Object: c.now, Name: "c", Resource: row}
			if c.old != nil {
				a.Operation, a.Old = Update, c.old
			}
			got := ""
			for _, check := range []func(context.Context, *Attributes) error{s.approval, s.signing, s.subject} {
				if err := check(t.Context(), a); err != nil {
					got += err.Error()
				}
			}
			if c.refusal == "" && got != "" || !strings.HasSuffix(got, c.refusal) {
				t.Errorf("got %q, want %q", got, c.refusal)
			}
		})
	}
}
