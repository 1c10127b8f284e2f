package pki_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"proa/ops/pki"
)

func open(t *testing.T, dir string, now func() time.Time, names ...string) *pki.PKI {
	t.Helper()
	p, err := pki.Open(pki.Config{Dir: dir, Names: names, ServiceAddress: net.IPv4(10, 96, 0, 1), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOpenAgainUsesTheSameKeys(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, nil)
	b := open(t, dir, nil)
	if string(a.CA()) != string(b.CA()) {
		t.Error("the authority changed")
	}
	if !a.TokenKey().Equal(b.TokenKey()) {
		t.Error("the token key changed")
	}
	if !a.Server().Certificate().Equal(b.Server().Certificate()) {
		t.Error("the serving certificate changed though it is still good")
	}
	c := open(t, dir, nil, "machine.example")
	if err := c.Server().Certificate().VerifyHostname("machine.example"); err != nil {
		t.Errorf("a new name did not replace the serving certificate: %v", err)
	}
	if string(a.CA()) != string(c.CA()) {
		t.Error("the authority changed with a name")
	}
}

func TestKeysAreTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir, nil)
	if _, _, err := p.Node("node-1", nil, nil); err != nil {
		t.Fatal(err)
	}
	keys := 0
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && filepath.Ext(path) == ".key" {
			keys++
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
		}
		return err
	})
	if err != nil || keys != 9 {
		t.Errorf("saw %d keys, want 9 (%v)", keys, err)
	}
}

func TestServingNames(t *testing.T) {
	cert := open(t, t.TempDir(), nil).Server().Certificate()
	for _, name := range []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "127.0.0.1", "::1", "10.96.0.1"} {
		if err := cert.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
}

func TestHalfMadeAuthority(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, nil)
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Open(pki.Config{Dir: dir}); err == nil {
		t.Fatal("an authority without its key was silently replaced: every client would be locked out")
	}

	fresh := t.TempDir()
	other := open(t, t.TempDir(), nil)
	_, key := other.Admin().PEM()
	if err := os.WriteFile(filepath.Join(fresh, "ca.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, fresh, nil) // killed after the key was written: nobody saw its certificate
}

// A client that connects again sees a certificate that was renewed, and one that was replaced on disk, without a restart.
func TestReloadWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	p := open(t, dir, func() time.Time { return now })
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	server.TLS = p.ServerTLS()
	server.StartTLS()
	defer server.Close()

	first := shown(t, p, server.Listener.Addr().String())
	p.Refresh()
	if again := shown(t, p, server.Listener.Addr().String()); !again.Equal(first) {
		t.Fatal("a good certificate was replaced")
	}
	now = now.Add(300 * 24 * time.Hour)
	p.Refresh()
	renewed := shown(t, p, server.Listener.Addr().String())
	if renewed.Equal(first) || !renewed.NotAfter.After(first.NotAfter) {
		t.Fatal("the certificate was not renewed before it expires")
	}
	damage(t, filepath.Join(dir, "apiserver.crt"))
	p.Refresh()
	if got := shown(t, p, server.Listener.Addr().String()); got.Equal(renewed) {
		t.Fatal("damaged files were not replaced")
	}
}

func damage(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func shown(t *testing.T, p *pki.PKI, address string) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: p.CAPool(), Time: func() time.Time { return time.Now().Add(time.Hour) },
		ServerName: "kubernetes", InsecureSkipVerify: true}) // the clock of the test runs ahead; the chain is checked below
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cert := conn.ConnectionState().PeerCertificates[0]
	if _, err := cert.Verify(x509.VerifyOptions{Roots: p.CAPool(), CurrentTime: cert.NotBefore.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	waits := 0
	p, err := pki.Open(pki.Config{Dir: t.TempDir(), Wait: func(ctx context.Context, d time.Duration) error {
		if waits++; waits == 3 {
			cancel()
		}
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx); err != nil || waits != 3 {
		t.Errorf("Run = %v after %d waits", err, waits)
	}
}

func TestNodeCertificates(t *testing.T) {
	p := open(t, t.TempDir(), nil)
	client, serving, err := p.Node("node-1", nil, []net.IP{net.IPv4(192, 0, 2, 7)})
	if err != nil {
		t.Fatal(err)
	}
	subject := client.Certificate().Subject
	if subject.CommonName != "system:node:node-1" || len(subject.Organization) != 1 || subject.Organization[0] != "system:nodes" {
		t.Errorf("subject = %v", subject)
	}
	if err := serving.Certificate().VerifyHostname("192.0.2.7"); err != nil {
		t.Error(err)
	}
	if _, _, err := p.Node("../ca", nil, nil); err == nil {
		t.Error("a path was taken for a node's name")
	}
}

// What a joining node asks for names the node it was let in as, whatever its request says.
func TestSignNodeTakesNothingButTheKey(t *testing.T) {
	p := open(t, t.TempDir(), nil)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}}, DNSNames: []string{"kubernetes"},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	clientPEM, _, err := p.SignNode("node-2", request, request, nil, []net.IP{net.IPv4(192, 0, 2, 8)})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(clientPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "system:node:node-2" || cert.Subject.Organization[0] != "system:nodes" || len(cert.DNSNames) != 0 {
		t.Errorf("issued %v %v", cert.Subject, cert.DNSNames)
	}
}

func TestKubeconfig(t *testing.T) {
	p := open(t, t.TempDir(), nil)
	path := filepath.Join(t.TempDir(), "sub", "config")
	if err := p.WriteKubeconfig(path, "https://127.0.0.1:6443", p.Admin()); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:6443" || len(config.CertData) == 0 || len(config.CAData) == 0 {
		t.Errorf("config = %+v", config)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A signed certificate is never an authority, and never outlives the one that signed it.
func TestSign(t *testing.T) {
	p := open(t, t.TempDir(), nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.Sign(&x509.Certificate{Subject: pkix.Name{CommonName: "ann"}, IsCA: true, NotBefore: time.Now(), NotAfter: time.Now().AddDate(50, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: p.CAPool(), KeyUsages: cert.ExtKeyUsage}); err != nil {
		t.Error(err)
	}
	if cert.IsCA || !cert.BasicConstraintsValid || cert.NotAfter.After(time.Now().AddDate(11, 0, 0)) || cert.SerialNumber.BitLen() < 64 {
		t.Errorf("issued CA %v until %v, serial %v", cert.IsCA, cert.NotAfter, cert.SerialNumber)
	}
}
