package pki

import (
	"crypto/tls"
	"crypto/x509"
)

// ServerTLS is how the API server listens. Client certificates are asked for and not verified here: a bad one is an
// answer 401 of the authenticator, which a client understands, and not a broken handshake.
func (p *PKI) ServerTLS() *tls.Config {
	signers := x509.NewCertPool()
	signers.AddCert(p.ca.cert)
	signers.AddCert(p.frontProxy.cert)
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		ClientAuth:     tls.RequestClientCert,
		ClientCAs:      signers, // named to clients, so that they pick the right certificate
		GetCertificate: p.server.GetCertificate,
		// Small records let a browser show a page sooner. Here they would make five writes of one, for lists and for the first
		// hundred events of each watch.
		DynamicRecordSizingDisabled: true,
	}
}

// NodeTLS is how the API server calls nodes: as itself, trusting only certificates of the cluster's authority. HTTP/1.1 only,
// because streams upgrade their connection.
func (p *PKI) NodeTLS() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		NextProtos:           []string{"http/1.1"},
		RootCAs:              p.ca.pool,
		GetClientCertificate: p.nodeClient.GetClientCertificate,
	}
}

// ClientTLS is how a part of the system calls the API server over the network, as the leaf's subject.
func (p *PKI) ClientTLS(as *Leaf) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              p.ca.pool,
		GetClientCertificate: as.GetClientCertificate,
	}
}
