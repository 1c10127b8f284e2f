package stream_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
	"proa/apiserver/stream"
	"proa/store"
)

// world is an API server with nothing but streams, a node, and what is dialled.
type world struct {
	t     *testing.T
	items map[store.Key]*store.Item
	api   *httptest.Server
	node  http.HandlerFunc // what the node answers

	mu struct {
		sync.Mutex
		allowed func(auth.Attributes) bool
		dialled []string
		open    int // connections to backends that are not closed
		asked   []string
	}
	changed *sync.Cond
}

const nodeName, nodeAddress = "node-1", "192.0.2.10"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, items: map[store.Key]*store.Item{}}
	w.changed = sync.NewCond(&w.mu)
	w.mu.allowed = func(auth.Attributes) bool { return true }
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.mu.asked = append(w.mu.asked, r.Method+" "+r.URL.RequestURI())
		w.mu.Unlock()
		w.node(rw, r)
	}))
	certificate, pool := selfSigned(t, nodeName)
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	backend.StartTLS()
	t.Cleanup(backend.Close)
	plain := httptest.NewServer(backend.Config.Handler)
	t.Cleanup(plain.Close)

	w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Status: corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "metadata.internal"}, {Type: corev1.NodeInternalIP, Address: nodeAddress}}}})
	w.put(podOn(nodeName, "one"))
	streams, err := stream.New(stream.Config{Source: w, Authorizer: w, NodeTLS: &tls.Config{RootCAs: pool},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			target := plain.Listener.Addr().String()
			if strings.HasSuffix(address, ":10250") || strings.HasSuffix(address, ":443") {
				target = backend.Listener.Addr().String()
			}
			conn, err := net.Dial(network, target)
			if err != nil {
				return nil, err
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.mu.dialled = append(w.mu.dialled, address)
			w.mu.open++
			return &countedConn{Conn: conn, w: w}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(streams.Close)
	w.api = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !streams.Serve(rw, r, targetOf(r)) {
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(w.api.Close)
	return w
}

// targetOf does what the filters of the API server do.
func targetOf(r *http.Request) stream.Target {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	t := stream.Target{User: auth.User{Name: "ann"}, Verb: "get"}
	if r.Method == http.MethodPost {
		t.Verb = "create"
	}
	if parts[0] == "namespaces" {
		t.Namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 2 {
		t.Resource, t.Name, t.Subresource = parts[0], parts[1], parts[2]
	}
	return t
}

func podOn(node string, containers ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"}, Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{PodIP: "10.1.2.3", PodIPs: []corev1.PodIP{{IP: "10.1.2.3"}}}}
	for _, name := range containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Ports: []corev1.ContainerPort{{ContainerPort: 8080}}})
	}
	return p
}

func (w *world) put(obj metav1.Object) {
	table := map[string]string{"*v1.Pod": "pods", "*v1.Node": "nodes", "*v1.Service": "services", "*v1.Endpoints": "endpoints"}[fmt.Sprintf("%T", obj)]
	key := store.Key{Table: table, Namespace: obj.GetNamespace(), Name: obj.GetName()}
	w.items[key] = store.NewItem(key, 1, 1, nil, obj, nil)
}

func (w *world) Snapshot() store.Snapshot      { return w }
func (w *world) Revision() store.Revision      { return 1 }
func (w *world) Changed(string) store.Revision { return 1 }
func (w *world) Get(key store.Key) *store.Item { return w.items[key] }
func (w *world) Len(string, string) int        { return len(w.items) }
func (w *world) List(string, string, store.Key) iter.Seq[*store.Item] {
	return func(func(*store.Item) bool) {}
}

func (w *world) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.allowed(a), "", nil
}

func (w *world) allow(f func(auth.Attributes) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.allowed = f
}

// drained waits until no connection to a backend is open.
func (w *world) drained() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.mu.open > 0 {
		w.changed.Wait()
	}
}

func (w *world) dialled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.mu.dialled...)
}

type countedConn struct {
	net.Conn
	w    *world
	once sync.Once
}

// NetConn is the kernel's connection.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
		c.w.mu.open--
		c.w.changed.Broadcast()
	})
	return c.Conn.Close()
}

// upgrade sends an upgrade request and returns the connection and the answer's head.
func (w *world) upgrade(method, path, protocol string) (net.Conn, *bufio.Reader, *http.Response) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.api.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: %s\r\nAuthorization: Bearer secret\r\nImpersonate-User: root\r\n\r\n", method, path, protocol)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn, reader, response
}

func (w *world) get(path string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.api.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response, string(body)
}

func message(body string) string {
	var status metav1.Status
	if json.Unmarshal([]byte(body), &status) != nil {
		return body
	}
	return fmt.Sprintf("%d %s", status.Code, status.Message)
}

// echo upgrades and sends everything back.
func echo(rw http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Saw-Credentials: %v\r\n\r\n",
		r.Header.Get("Upgrade"), r.Header.Get("Authorization") != "" || r.Header.Get("Impersonate-User") != "")
	_, _ = io.Copy(conn, buffered)
}

func selfSigned(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	der, key := makeCertificate(t, name)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}
