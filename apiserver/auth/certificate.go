package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"proa/internal/measure"
)

// Certificates takes client certificates for users: the common name is the name, organizations are groups.
type Certificates struct {
	roots *x509.CertPool
	now   func() time.Time
	seen  *verified[certificateUser]
	left  *measure.Histogram // until certificates expire, in seconds
}

type certificateUser struct {
	user                User
	notBefore, notAfter time.Time // of the whole chain
}

// NewCertificates accepts what roots signed for clients. now is time.Now if nil.
func NewCertificates(roots *x509.CertPool, now func() time.Time) *Certificates {
	if now == nil {
		now = time.Now
	}
	return &Certificates{roots: roots, now: now, seen: newVerified[certificateUser](4096),
		left: measure.NewHistogram(0, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800, 2592000, 7776000, 15552000, 31104000)}
}

// Authenticate verifies the certificate that the connection was made with. The chain is verified once for each
// certificate; its dates are compared every time.
func (c *Certificates) Authenticate(r *http.Request) (User, bool, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return User{}, false, nil
	}
	leaf, now := r.TLS.PeerCertificates[0], c.now()
	sum := sha256.Sum256(leaf.Raw)
	if known, ok := c.seen.get(sum); ok && !now.Before(known.notBefore) && !now.After(known.notAfter) {
		c.left.Observe(leaf.NotAfter.Sub(now).Seconds())
		return known.user, true, nil
	}
	known, err := c.verify(leaf, r.TLS.PeerCertificates[1:], now)
	if err != nil {
		return User{}, false, err
	}
	c.seen.put(sum, known)
	c.left.Observe(leaf.NotAfter.Sub(now).Seconds())
	return known.user, true, nil
}

func (c *Certificates) verify(leaf *x509.Certificate, others []*x509.Certificate, now time.Time) (*certificateUser, error) {
	intermediates := x509.NewCertPool()
	for _, other := range others {
		intermediates.AddCert(other)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, fmt.Errorf("verifying certificate SN=%d, SKID=%s, AKID=%s failed: %w",
			leaf.SerialNumber, hex.EncodeToString(leaf.SubjectKeyId), hex.EncodeToString(leaf.AuthorityKeyId), err)
	}
	if leaf.Subject.CommonName == "" {
		return nil, errors.New("the client certificate names no user: its subject has no common name")
	}
	sum := sha256.Sum256(leaf.Raw)
	known := &certificateUser{notBefore: leaf.NotBefore, notAfter: leaf.NotAfter, user: User{
		Name: leaf.Subject.CommonName, Groups: append(leaf.Subject.Organization[:len(leaf.Subject.Organization):len(leaf.Subject.Organization)], GroupAuthenticated),
		Extra: map[string][]string{CredentialID: {"X509SHA256=" + hex.EncodeToString(sum[:])}},
	}}
	for _, cert := range chains[0] {
		if cert.NotAfter.Before(known.notAfter) {
			known.notAfter = cert.NotAfter
		}
		if cert.NotBefore.After(known.notBefore) {
			known.notBefore = cert.NotBefore
		}
	}
	return known, nil
}

// Measures lists how long the certificates of those who came are good.
func (c *Certificates) Measures() []measure.Family {
	left := measure.Family{Name: "apiserver_client_certificate_expiration_seconds", Help: "How long the certificates of requests are good", Type: measure.Distribution}
	left.AddHistogram(c.left)
	return []measure.Family{left}
}
