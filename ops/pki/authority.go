package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Lifetimes. A leaf is renewed when a third of its life is left.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 365 * 24 * time.Hour
	clockSkew     = 5 * time.Minute // certificates are valid a little before they are made, for clients whose clock trails
)

// authority is a certificate that signs others, and its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	pool *x509.CertPool
	now  func() time.Time
}

// openAuthority reads an authority, or makes it when neither of its files is there. One file without the other is an
// error: a new authority would silently lock out everybody who trusts the old one.
func openAuthority(dir, file, name string, now func() time.Time) (*authority, error) {
	certPath, keyPath := filepath.Join(dir, file+".crt"), filepath.Join(dir, file+".key")
	certPEM, certErr := os.ReadFile(certPath)
	keyPEM, keyErr := os.ReadFile(keyPath)
	if errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		var err error
		if certPEM, keyPEM, err = makeAuthority(name, now()); err != nil {
			return nil, fmt.Errorf("make authority %s: %w", file, err)
		}
		// The key goes first: a certificate is only seen together with its key.
		if err := writeFile(keyPath, keyPEM, 0o600, true); err != nil {
			return nil, err
		}
		if err := writeFile(certPath, certPEM, 0o644, true); err != nil {
			return nil, err
		}
	} else if errors.Is(certErr, fs.ErrNotExist) && keyErr == nil {
		// Killed between the two writes: nobody has seen a certificate of this key yet.
		if err := os.Remove(keyPath); err != nil {
			return nil, fmt.Errorf("remove half-made authority: %w", err)
		}
		return openAuthority(dir, file, name, now)
	} else if err := errors.Join(certErr, keyErr); err != nil {
		return nil, fmt.Errorf("read authority %s: %w", file, err)
	}
	cert, key, err := parsePair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read authority %s: %w", file, err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pem: certPEM, pool: pool, now: now}, nil
}

func makeAuthority(name string, now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(authorityLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return encodeCert(der), keyPEM, err
}

// sign issues a certificate for a public key. Nothing of it comes from whoever asks but what spec says.
func (a *authority) sign(public any, spec leafSpec) ([]byte, error) {
	now := a.now()
	return a.signTemplate(&x509.Certificate{
		Subject:  pkix.Name{CommonName: spec.name, Organization: spec.groups},
		DNSNames: spec.dns, IPAddresses: spec.ips,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: spec.usage, BasicConstraintsValid: true,
	}, public)
}

// signTemplate issues what template says, for a public key. It ends with the authority at the latest, and is none itself.
func (a *authority) signTemplate(template *x509.Certificate, public any) ([]byte, error) {
	t := *template
	if now := a.now(); !now.Before(a.cert.NotAfter) {
		return nil, fmt.Errorf("the signer has expired: NotAfter=%v", a.cert.NotAfter)
	}
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	t.IsCA, t.BasicConstraintsValid = false, true
	var err error
	if t.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, a.cert, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", t.Subject.CommonName, err)
	}
	return encodeCert(der), nil
}

// openTokenKey reads the key of service account tokens, or makes it.
func openTokenKey(dir string) (*ecdsa.PrivateKey, error) {
	path := filepath.Join(dir, "sa.key")
	data, err := os.ReadFile(path)
	if err == nil {
		key, err := parseKey(data)
		if err != nil {
			return nil, fmt.Errorf("read token key: %w", err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read token key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make token key: %w", err)
	}
	if data, err = encodeKey(key); err != nil {
		return nil, fmt.Errorf("make token key: %w", err)
	}
	return key, writeFile(path, data, 0o600, true)
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "EC PRIVATE KEY" {
		return nil, errors.New("the file holds no EC PRIVATE KEY")
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

// parsePair parses a certificate and its key, and checks that they belong together.
func parsePair(certPEM, keyPEM []byte) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil, errors.New("the file holds no CERTIFICATE")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, nil, err
	}
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !key.PublicKey.Equal(public) {
		return nil, nil, errors.New("the key is not the certificate's")
	}
	return cert, key, nil
}
