package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"proa/apiserver/auth"
)

// issuer signs certificates for a test.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t}
	i.cert, i.key = i.make(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)})
	return i
}

func (i *issuer) make(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	parent, by := i.cert, i.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		i.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return cert, key
}

func (i *issuer) client(name string, now time.Time, usage x509.ExtKeyUsage, groups ...string) *x509.Certificate {
	cert, _ := i.make(&x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: groups},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}})
	return cert
}

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ours, theirs := newIssuer(t), newIssuer(t)
	pool := x509.NewCertPool()
	pool.AddCert(ours.cert)
	clock := now
	certificates := auth.NewCertificates(pool, func() time.Time { return clock })
	ask := func(cert *x509.Certificate) (auth.User, bool, error) {
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = &tls.ConnectionState{}
		if cert != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{cert}
		}
		return certificates.Authenticate(r)
	}
	good := ours.client("ann", now, x509.ExtKeyUsageClientAuth, "team", "system:masters")
	for range 2 { // verified, then remembered
		u, ok, err := ask(good)
		if !ok || u.Name != "ann" || !u.InGroup("system:masters") || !u.InGroup("system:authenticated") || len(u.Groups) != 3 {
			t.Fatal(u, ok, err)
		}
	}
	if _, ok, err := ask(nil); ok || err != nil {
		t.Error("no certificate is no error", ok, err)
	}
	for name, cert := range map[string]*x509.Certificate{
		"another authority": theirs.client("ann", now, x509.ExtKeyUsageClientAuth, "system:masters"),
		"for servers":       ours.client("ann", now, x509.ExtKeyUsageServerAuth, "system:masters"),
		"expired":           ours.client("ann", now.Add(-2*time.Hour), x509.ExtKeyUsageClientAuth, "system:masters"),
		"names nobody":      ours.client("", now, x509.ExtKeyUsageClientAuth, "system:masters"),
	} {
		if u, ok, err := ask(cert); ok || err == nil {
			t.Errorf("%s: %v", name, u)
		}
	}
	clock = now.Add(2 * time.Hour)
	if _, ok, err := ask(good); ok || err == nil {
		t.Error("a certificate that was seen while it was good is still taken after it has expired")
	}
}

func TestWhoAsks(t *testing.T) {
	w := newTokenWorld(t)
	static := auth.NewStaticTokens(map[string]auth.User{"join-me": auth.Joiner(), "": {Name: "nobody"}})
	all := auth.First(w.tokens, static)
	for header, want := range map[string]string{
		"":               "system:anonymous [system:unauthenticated]",
		"Bearer join-me": "system:bootstrap:proa [system:bootstrappers system:authenticated]",
		"bearer join-me": "system:bootstrap:proa [system:bootstrappers system:authenticated]",
		"Bearer join-m":  "refused",
		"Bearer ":        "refused",
		"Basic x":        "refused",
		"Bearer a.b.c":   "refused",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		u, ok, err := all.Authenticate(r)
		got := u.Name + " " + groupsOf(u)
		if !ok {
			got = "refused"
			if err == nil {
				t.Errorf("%q: refused without a reason", header)
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
