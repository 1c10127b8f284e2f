package join

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"proa/internal/atomicfile"
)

// files is a node's directory of keys:
//
//	ca.crt                      the cluster's authority
//	client.pem, serving.pem     a key and its certificate in one file each, so that they never part
//	client.key, serving.key     keys for which certificates have been asked and not yet received
//	node.json                   settings; written last, so that where it is, everything is
type files struct{ dir string }

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

// read takes up everything. The error is fs.ErrNotExist when the node has not joined.
func (f files) read() (*identity, error) {
	data, err := os.ReadFile(f.path("node.json"))
	if err != nil {
		return nil, err
	}
	i := &identity{}
	if err := json.Unmarshal(data, &i.settings); err != nil {
		return nil, fmt.Errorf("read node.json: %w", err)
	}
	if i.authority, err = os.ReadFile(f.path("ca.crt")); err != nil {
		return nil, fmt.Errorf("read the authority: %v", err) //nolint:errorlint // not "has not joined"
	}
	for _, p := range []struct {
		to   **tls.Certificate
		name string
	}{{&i.client, "client.pem"}, {&i.serving, "serving.pem"}} {
		data, err := os.ReadFile(f.path(p.name))
		if err != nil {
			return nil, fmt.Errorf("read %s: %v", p.name, err) //nolint:errorlint // not "has not joined"
		}
		if *p.to, err = pair(data); err != nil {
			return nil, fmt.Errorf("read %s: %w", p.name, err)
		}
	}
	return i, i.trust()
}

// trust makes the pool of the authority, and checks the certificates by it.
func (i *identity) trust() error {
	i.pool = x509.NewCertPool()
	if !i.pool.AppendCertsFromPEM(i.authority) {
		return errors.New("read the authority: it is no certificate")
	}
	for _, c := range []*tls.Certificate{i.client, i.serving} {
		_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: i.pool, CurrentTime: c.Leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return fmt.Errorf("check certificate of %s: %w", c.Leaf.Subject.CommonName, err)
		}
	}
	return nil
}

// pair reads a key and its certificate, which must belong together.
func pair(data []byte) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// pending is the key for the next certificate, made if it is not there, and the request for it.
func (f files) pending(name string) (key *ecdsa.PrivateKey, request []byte, err error) {
	key, err = f.pendingKey(f.path(name + ".key"))
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key) // the server makes the subject
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate request: %w", err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func (f files) pendingKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		if block, _ := pem.Decode(data); block != nil {
			if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
				return key, nil
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, atomicfile.Write(path, encoded, 0o600)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// write keeps what was answered, fills in i, and forgets the pending keys.
func (f files) write(i *identity, client, serving *ecdsa.PrivateKey, answer *Answer) error {
	pems := map[string][]byte{"ca.crt": answer.Authority}
	for _, p := range []struct {
		name        string
		key         *ecdsa.PrivateKey
		certificate []byte
		to          **tls.Certificate
	}{{"client.pem", client, answer.Client, &i.client}, {"serving.pem", serving, answer.Serving, &i.serving}} {
		data, err := encodeKey(p.key)
		if err != nil {
			return err
		}
		data = append(data, p.certificate...)
		if *p.to, err = pair(data); err != nil {
			return fmt.Errorf("the server answered with a certificate that is not for the node's key: %w", err)
		}
		pems[p.name] = data
	}
	if err := i.trust(); err != nil {
		return err
	}
	for _, name := range []string{"ca.crt", "client.pem", "serving.pem"} {
		if err := atomicfile.Write(f.path(name), pems[name], 0o600); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(i.settings, "", "  ")
	if err != nil {
		return fmt.Errorf("encode settings: %w", err)
	}
	if err := atomicfile.Write(f.path("node.json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	for _, name := range []string{"client.key", "serving.key"} {
		if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget pending key: %w", err)
		}
	}
	return nil
}

// Member says as which node a directory of keys has joined a cluster; false if it has not.
func Member(dir string) (node string, setting NodeSetting, ok bool) {
	i, err := (files{dir}).read()
	if err != nil {
		return "", NodeSetting{}, false
	}
	return i.settings.Node, i.settings.NodeSetting, true
}
