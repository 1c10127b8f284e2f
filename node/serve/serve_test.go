package serve_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/run"
	"proa/node/serve"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	certificate := a.sign(template)
	a.cert, a.key = certificate.Leaf, certificate.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// sign makes a certificate, self-signed for the first.
func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) client(name string) tls.Certificate {
	return a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// api is a server that runs, over pods that the test lists.
type api struct {
	t           *testing.T
	ca          *authority
	certificate tls.Certificate
	address     string
	server      *serve.Server
	runtime     *throughRelay // of those whose pods run
	mu          sync.Mutex
	asked       []string
	list        []run.Served
}

func (a *api) Pods() []run.Served { return a.list }

func (a *api) Pod(namespace, name string) (run.Served, bool) {
	for _, served := range a.list {
		if served.Pod.Namespace == namespace && served.Pod.Name == name {
			return served, true
		}
	}
	return run.Served{}, false
}

func start(t *testing.T, runtime runtimeapi.RuntimeServiceClient, pods ...run.Served) *api {
	t.Helper()
	a := &api{t: t, ca: newAuthority(t), list: pods}
	certificate := a.ca.sign(&x509.Certificate{SerialNumber: big.NewInt(3), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	server, err := serve.New(serve.Config{NodeName: "node", Address: "unused", Pods: a, Runtime: runtime, Authorize: a.authorize, HeldFor: 50 * time.Millisecond,
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: a.ca.pool}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.address, a.server, a.certificate = listener.Addr().String(), server, certificate
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return a
}

// authorize lets admin do all and reader read.
func (a *api) authorize(_ context.Context, attributes serve.Attributes) (bool, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, fmt.Sprintf("%s %s nodes/%s", attributes.User.Username, attributes.Verb, attributes.Subresource))
	switch attributes.User.Username {
	case "admin":
		return true, "", nil
	case "reader":
		return attributes.Verb == "get", "readers read", nil
	}
	return false, "unknown", nil
}

func (a *api) do(method, path string, certificate *tls.Certificate, header http.Header) (int, string) {
	a.t.Helper()
	config := &tls.Config{RootCAs: a.ca.pool}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(a.t.Context(), method, "https://"+a.address+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header = header
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

func (a *api) get(path string) (int, string) {
	certificate := a.ca.client("admin")
	return a.do(http.MethodGet, path, &certificate, nil)
}

func TestWhoMayAsk(t *testing.T) {
	a := start(t, runtimeapi.NewRuntimeServiceClient(nil))
	admin, reader, stranger := a.ca.client("admin"), a.ca.client("reader"), newAuthority(t).client("admin")
	webSocket := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
	for _, test := range []struct {
		name         string
		certificate  *tls.Certificate
		method, path string
		header       http.Header
		code         int
		body         string
	}{
		{"anonymous", nil, "GET", "/healthz", nil, 401, "Unauthorized"},
		{"another authority's", &stranger, "GET", "/healthz", nil, 401, "Unauthorized"},
		{"reader", &reader, "GET", "/healthz", nil, 200, "ok"},
		{"reader lists", &reader, "GET", "/pods", nil, 200, `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}`},
		{"reader execs by WebSocket", &reader, "GET", "/exec/shop/web/c?command=id&stdout=1", webSocket, 403,
			"Forbidden (user=reader, verb=create, resource=nodes, subresource(s)=[proxy])"},
		{"reader forwards", &reader, "GET", "/portForward/shop/web", webSocket, 403, "Forbidden (user=reader, verb=create, resource=nodes, subresource(s)=[proxy])"},
		{"admin execs in nothing", &admin, "POST", "/exec/shop/web/c?command=id&output=1", nil, 404, "pod does not exist"},
		{"admin puts", &admin, "PUT", "/exec/shop/web/c", nil, 405, "Method Not Allowed"},
		{"no such path", &admin, "GET", "/run/shop/web/c", nil, 404, "404 page not found"},
	} {
		if code, body := a.do(test.method, test.path, test.certificate, test.header); code != test.code || body != test.body {
			t.Errorf("%s: got %d %s, want %d %s", test.name, code, body, test.code, test.body)
		}
	}
}

func TestLogs(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"1.log": "2026-01-02T03:04:05Z stdout F now\n2026-01-02T03:04:06Z stderr F oh\n", "0.log": "2026-01-02T03:04:01Z stdout F then\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pod := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c"}, {Name: "slow"}}}}
	pod.Name, pod.Namespace = "web", "shop"
	a := start(t, runtimeapi.NewRuntimeServiceClient(nil), run.Served{Pod: pod,
		Status:     v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{{Name: "slow", State: v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}}},
		Containers: []run.ServedContainer{{Name: "c", LogPath: dir + "/1.log"}, {Name: "c", LogPath: dir + "/0.log"}}})
	for query, want := range map[string]string{
		"shop/web/c":                                "200 now\noh",
		"shop/web/c?stream=Stderr":                  "200 oh",
		"shop/web/c?tailLines=1&timestamps=true":    "200 2026-01-02T03:04:06.000000000Z oh",
		"shop/web/c?sinceTime=2026-01-02T03:04:06Z": "200 oh",
		"shop/web/c?sinceSeconds=5":                 "200 ",
		"shop/web/c?limitBytes=2":                   "200 no",
		"shop/web/c?previous=true":                  "200 then",
		"shop/web/c?tailLines=x":                    `400 {"message": "Unable to decode query."}`,
		"shop/web/slow":                             `400 container "slow" in pod "web" is waiting to start: trying and failing to pull image`,
		"shop/web/slow?previous=true":               `400 previous terminated container "slow" in pod "web" not found`,
		"shop/web/d":                                `404 container "d" not found in pod "web"`,
		"shop/other/c":                              `404 pod "other" does not exist`,
	} {
		code, body := a.get("/containerLogs/" + query)
		if got := fmt.Sprintf("%d %s", code, body); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}
