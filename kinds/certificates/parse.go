package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseRequest reads the PKCS#10 request in spec.request (RFC 2986, PEM).
func ParseRequest(data []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}

// checkRequest wants a request that its own key has signed: whoever asks holds the key.
func checkRequest(data []byte) error {
	parsed, err := ParseRequest(data)
	if err != nil {
		return err
	}
	return parsed.CheckSignature()
}

// checkCertificate wants certificates in PEM and nothing else, or nothing at all.
func checkCertificate(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	for seen := 0; ; seen++ {
		block, rest := pem.Decode(data)
		switch {
		case block == nil && seen == 0:
			return errors.New("must contain at least one CERTIFICATE PEM block")
		case block == nil:
			return nil
		case block.Type != "CERTIFICATE":
			return fmt.Errorf("only CERTIFICATE PEM blocks are allowed, found %q", block.Type)
		case len(block.Headers) != 0:
			return errors.New("no PEM block headers are permitted")
		}
		certificates, err := x509.ParseCertificates(block.Bytes)
		if err != nil {
			return err
		}
		if len(certificates) == 0 {
			return errors.New("found CERTIFICATE PEM block containing 0 certificates")
		}
		data = rest
	}
}
