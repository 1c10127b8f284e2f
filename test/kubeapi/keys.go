package kubeapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority issues the few certificates of an API server, of the same sort as Proa's own.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	serial      int64
}

// newAuthority makes an authority and writes ca.crt and ca.key.
func newAuthority(dir string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	a := &authority{key: key}
	a.certificate = a.template("ca", nil)
	a.certificate.IsCA, a.certificate.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	return a, a.write(dir, "ca", a.certificate, key)
}

func (a *authority) template(name string, groups []string) *x509.Certificate {
	a.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name, Organization: groups}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

// issue writes FILE.crt and FILE.key for a name, good for both ends of a connection to this host.
func (a *authority) issue(dir, file, name string, groups ...string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	c := a.template(name, groups)
	c.IPAddresses, c.KeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return a.write(dir, file, c, key)
}

func (a *authority) write(dir, file string, c *x509.Certificate, key *ecdsa.PrivateKey) error {
	signed, err := x509.CreateCertificate(rand.Reader, c, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("sign certificate: %w", err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	for _, part := range []struct {
		suffix, kind string
		content      []byte
	}{{".crt", "CERTIFICATE", signed}, {".key", "EC PRIVATE KEY", private}} {
		encoded := pem.EncodeToMemory(&pem.Block{Type: part.kind, Bytes: part.content})
		if err := os.WriteFile(filepath.Join(dir, file+part.suffix), encoded, 0o600); err != nil {
			return fmt.Errorf("write key: %w", err)
		}
	}
	return nil
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: ca.crt}}]
users: [{name: u, user: {client-certificate: admin.crt, client-key: admin.key}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`

// makeKeys makes what upstream's API server is started with, and a kubeconfig for its administrator.
func makeKeys(dir string, port int) error {
	ca, err := newAuthority(dir)
	if err != nil {
		return err
	}
	if err := ca.issue(dir, "server", "kube-apiserver"); err != nil {
		return err
	}
	if err := ca.issue(dir, "admin", "kubernetes-admin", "system:masters"); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "kubeconfig"), fmt.Appendf(nil, kubeconfig, port), 0o600)
}
