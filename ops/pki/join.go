package pki

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// SignNode issues the two certificates of a node that joins from elsewhere. Each request is a PEM CERTIFICATE REQUEST
// of the node's own key, which never leaves the node. The subject is made here: whoever calls has checked that the
// caller may be node name, and that the addresses are its.
func (p *PKI) SignNode(name string, clientRequest, servingRequest []byte, dns []string, addresses []net.IP) (client, serving []byte, err error) {
	if err := checkNodeName(name); err != nil {
		return nil, nil, err
	}
	spec := leafSpec{name: "system:node:" + name, groups: []string{"system:nodes"}}
	spec.usage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if client, err = p.signRequest(clientRequest, spec); err != nil {
		return nil, nil, err
	}
	spec.usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	spec.dns, spec.ips = append([]string{name}, dns...), addresses
	serving, err = p.signRequest(servingRequest, spec)
	return client, serving, err
}

// Sign issues a certificate of the cluster's authority: what template says, with a serial number, for a public key. Whoever
// calls has checked that the holder of the key may have what it says.
func (p *PKI) Sign(template *x509.Certificate, public any) ([]byte, error) {
	return p.ca.signTemplate(template, public)
}

func (p *PKI) signRequest(request []byte, spec leafSpec) ([]byte, error) {
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("sign node: the request holds no CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("sign node: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("sign node: %w", err)
	}
	return p.ca.sign(csr.PublicKey, spec)
}

// checkNodeName keeps out names that are no node's, before one becomes a file name or an identity.
func checkNodeName(name string) error {
	if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 {
		return fmt.Errorf("node name %q: %s", name, strings.Join(wrong, "; "))
	}
	return nil
}
