package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// leafSpec is what a certificate must say.
type leafSpec struct {
	file   string // below the directory, without .crt and .key
	name   string
	groups []string
	dns    []string
	ips    []net.IP
	usage  []x509.ExtKeyUsage
}

// Leaf is a certificate that follows its files and is renewed in time. Whoever uses it through GetCertificate or
// GetClientCertificate always has the newest.
type Leaf struct {
	by  *authority
	dir string
	now func() time.Time
	log *slog.Logger

	mu      sync.Mutex // held while the files are read or written
	spec    leafSpec   // under mu
	current atomic.Pointer[pair]
}

type pair struct {
	tls             tls.Certificate
	certPEM, keyPEM []byte
}

// GetCertificate is for the field of that name of a server's tls.Config.
func (l *Leaf) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &l.current.Load().tls, nil
}

// GetClientCertificate is for the field of that name of a client's tls.Config.
func (l *Leaf) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return &l.current.Load().tls, nil
}

// Certificate is the newest certificate, parsed.
func (l *Leaf) Certificate() *x509.Certificate { return l.current.Load().tls.Leaf }

// PEM returns the newest certificate and its key.
func (l *Leaf) PEM() (cert, key []byte) {
	c := l.current.Load()
	return c.certPEM, c.keyPEM
}

func (l *Leaf) certPath() string { return filepath.Join(l.dir, l.spec.file+".crt") }
func (l *Leaf) keyPath() string  { return filepath.Join(l.dir, l.spec.file+".key") }

func (l *Leaf) setSpec(spec leafSpec) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spec = spec
}

// refresh takes up what the files hold, or issues anew when that does not serve.
func (l *Leaf) refresh() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	read, err := l.readLocked()
	if err == nil {
		l.current.Store(read)
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		l.log.Info("certificate is replaced", "file", l.spec.file, "reason", err)
	}
	if err := l.issueLocked(); err != nil {
		return fmt.Errorf("issue %s: %w", l.spec.file, err)
	}
	return nil
}

// readLocked returns the pair on disk, or says why it will not do.
func (l *Leaf) readLocked() (*pair, error) {
	certPEM, err := os.ReadFile(l.certPath())
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(l.keyPath())
	if err != nil {
		return nil, err
	}
	cert, key, err := parsePair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	if err := l.checkLocked(cert); err != nil {
		return nil, err
	}
	return newPair(cert, key, certPEM, keyPEM), nil
}

func (l *Leaf) checkLocked(cert *x509.Certificate) error {
	now := l.now()
	switch left := cert.NotAfter.Sub(now); {
	case now.Before(cert.NotBefore):
		return errors.New("it is not valid yet")
	case left < cert.NotAfter.Sub(cert.NotBefore)/3 && cert.NotAfter.Before(l.by.cert.NotAfter):
		return errors.New("it expires soon")
	case left <= 0:
		return errors.New("it has expired")
	}
	if err := cert.CheckSignatureFrom(l.by.cert); err != nil {
		return fmt.Errorf("another authority signed it: %w", err)
	}
	if cert.Subject.CommonName != l.spec.name || !slices.Equal(sorted(cert.Subject.Organization), sorted(l.spec.groups)) {
		return errors.New("it names another subject")
	}
	for _, name := range l.spec.dns {
		if !slices.Contains(cert.DNSNames, name) {
			return fmt.Errorf("it lacks the name %s", name)
		}
	}
	for _, ip := range l.spec.ips {
		if !slices.ContainsFunc(cert.IPAddresses, ip.Equal) {
			return fmt.Errorf("it lacks the address %s", ip)
		}
	}
	return nil
}

func (l *Leaf) issueLocked() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	certPEM, err := l.by.sign(key.Public(), l.spec)
	if err != nil {
		return err
	}
	cert, _, err := parsePair(certPEM, keyPEM)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.keyPath()), 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	// A crash between the two leaves a pair that does not belong together: the next start issues again.
	if err := writeFile(l.keyPath(), keyPEM, 0o600, false); err != nil {
		return err
	}
	if err := writeFile(l.certPath(), certPEM, 0o644, false); err != nil {
		return err
	}
	l.current.Store(newPair(cert, key, certPEM, keyPEM))
	return nil
}

func newPair(cert *x509.Certificate, key *ecdsa.PrivateKey, certPEM, keyPEM []byte) *pair {
	return &pair{
		tls:     tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
		certPEM: certPEM, keyPEM: keyPEM,
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
