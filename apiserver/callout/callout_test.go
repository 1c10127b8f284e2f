package callout_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/callout"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
	"proa/store/storetest"
)

// world is a store, a server that has a certificate, and a network in which every address leads to it.
type world struct {
	t      *testing.T
	store  store.Store
	kinds  *kinds.Table
	server *httptest.Server
	names  map[string][]netip.Addr
	caller *callout.Caller
	mu     struct {
		sync.Mutex
		dialled []string
	}
}

func newWorld(t *testing.T, serve http.HandlerFunc) *world {
	t.Helper()
	table := kinds.Builtin()
	w := &world{t: t, kinds: table, store: storetest.New(t, encode.Decoder(table)), server: httptest.NewTLSServer(serve), names: map[string][]netip.Addr{}}
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	t.Cleanup(w.server.Close)
	caller, err := callout.New(callout.Config{Source: w.store, Dial: w.dial,
		Lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) { return w.names[host], nil }})
	if err != nil {
		t.Fatal(err)
	}
	w.caller = caller
	return w
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.mu.dialled = append(w.mu.dialled, address)
	w.mu.Unlock()
	if strings.HasPrefix(address, "10.0.0.99:") {
		return nil, errors.New("connection refused")
	}
	var d net.Dialer
	return d.DialContext(ctx, network, w.server.Listener.Addr().String())
}

func (w *world) put(obj resource.Object) {
	w.t.Helper()
	data, err := encode.ToStore(obj)
	if err != nil {
		w.t.Fatal(err)
	}
	key := store.Key{Table: w.kinds.Of(obj).Table(), Namespace: obj.GetNamespace(), Name: obj.GetName()}
	if _, err := w.store.Commit(w.t.Context(), store.Op{Key: key, Expect: store.Any, Data: data, Value: obj}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
}

// post calls a target and prints the answer or the error.
func (w *world) post(target callout.Target) string {
	w.t.Helper()
	endpoint, err := w.caller.Endpoint(target)
	if err != nil {
		return err.Error()
	}
	answer, err := endpoint.Post(w.t.Context(), nil, []byte(`{}`))
	if err != nil {
		return err.Error()
	}
	return string(answer)
}

func service(kind corev1.ServiceType, external string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "example"}, Spec: corev1.ServiceSpec{Type: kind,
		ExternalName: external, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, Ports: []corev1.ServicePort{{Name: "https", Port: 8443}, {Name: "other", Port: 80}}}}
}

func slice(name string, family discoveryv1.AddressType, ready bool, addresses ...string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "example"}},
		AddressType: family, Ports: []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(9443))}, {Name: new("other"), Port: new(int32(90))}}}
	for _, address := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}})
	}
	return s
}

// toService is a Service whose certificate is the test server's, which is for example.com.
func (w *world) toService() callout.Target {
	tls := w.server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tls.ServerName = "example.com"
	return callout.Target{Service: &callout.Service{Namespace: "a", Name: "example", Port: 8443, Path: "/hook"}, CABundle: w.bundle(), TLS: tls}
}

// A Service is reached at its ready endpoints, under the Service's name, and past one that does not answer.
func TestServiceIsResolvedToEndpoints(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Host, r.URL.Path) })
	steps := []struct {
		put  resource.Object
		want string
	}{
		{nil, `Post "https://example.a.svc:8443/hook": services "example" not found`},
		{service(corev1.ServiceTypeClusterIP, ""), `Post "https://example.a.svc:8443/hook": no endpoints available for service "example"`},
		{slice("example-1", discoveryv1.AddressTypeIPv4, false, "10.0.0.1"), `Post "https://example.a.svc:8443/hook": no endpoints available for service "example"`},
		{slice("example-2", discoveryv1.AddressTypeIPv4, true, "169.254.169.254"), `Post "https://example.a.svc:8443/hook": dial 169.254.169.254: address 169.254.169.254 not allowed`},
		{slice("example-2", discoveryv1.AddressTypeIPv4, true, "127.0.0.1"), `Post "https://example.a.svc:8443/hook": dial 127.0.0.1: address 127.0.0.1 not allowed`},
		{slice("example-2", discoveryv1.AddressTypeIPv4, true, "10.0.0.2", "10.0.0.99"), "example.a.svc:8443/hook"},
	}
	for _, step := range steps {
		if step.put != nil {
			w.put(step.put)
		}
		if got := w.post(w.toService()); got != step.want {
			t.Errorf("got  %s\nwant %s", got, step.want)
		}
	}
	if last := w.mu.dialled[len(w.mu.dialled)-1]; last != "10.0.0.2:9443" {
		t.Errorf("dialled %s", last)
	}
	other := w.toService()
	other.Service.Port = 81
	if got := w.post(other); !strings.HasSuffix(got, `no service port 81 found for service "example"`) {
		t.Error(got)
	}
	w.put(service(corev1.ServiceTypeExternalName, "outside.example.com"))
	w.names["outside.example.com"] = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	other.Service.Port = 8444
	if got := w.post(other); got != "example.a.svc:8444/hook" || w.mu.dialled[len(w.mu.dialled)-1] != "192.0.2.7:8444" {
		t.Error(got, w.mu.dialled)
	}
}

// A Service that is a name elsewhere leads neither to this host nor to the link, nor does one whose slices are another's.
func TestServicesLeadToOthers(t *testing.T) {
	for external, want := range map[string]string{
		"localhost":          "dial localhost: address 127.0.0.1 not allowed",
		"127.0.0.1":          "dial 127.0.0.1: address 127.0.0.1 not allowed",
		"169.254.169.254":    "dial 169.254.169.254: address 169.254.169.254 not allowed",
		"metadata.internal":  "dial metadata.internal: address 169.254.169.254 not allowed",
		"two-minded.example": "dial two-minded.example: address ::1 not allowed\ndial two-minded.example: address fe80::1%eth0 not allowed",
	} {
		w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("called") })
		w.names["localhost"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		w.names["metadata.internal"] = []netip.Addr{netip.MustParseAddr("169.254.169.254")}
		w.names["two-minded.example"] = []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1%eth0")}
		w.put(service(corev1.ServiceTypeExternalName, external))
		if got := w.post(w.toService()); !strings.HasSuffix(got, want) || len(w.mu.dialled) != 0 {
			t.Errorf("%s: %s, dialled %v", external, got, w.mu.dialled)
		}
	}
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("called") })
	w.put(service(corev1.ServiceTypeClusterIP, ""))
	elsewhere := slice("example-1", discoveryv1.AddressTypeIPv4, true, "10.0.0.1")
	elsewhere.Namespace = "b"
	w.put(elsewhere)
	if got := w.post(w.toService()); !strings.HasSuffix(got, `no endpoints available for service "example"`) {
		t.Error(got)
	}
}

// A name does not lead to this host or to the link, whenever it is resolved; only a URL that says so leads to this host.
func TestURLIsDialledWhereItWasChecked(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "called") })
	w.names["example.com"] = []netip.Addr{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("192.0.2.7")}
	w.names["inside.example.com"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	w.names["localhost"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	for url, want := range map[string]string{
		"https://example.com/x":            "called",
		"https://127.0.0.1:444":            "called",
		"https://inside.example.com:444/x": `Post "https://inside.example.com:444/x": dial inside.example.com: address 127.0.0.1 not allowed`,
		"https://169.254.169.254/latest":   `Post "https://169.254.169.254/latest": dial 169.254.169.254: address 169.254.169.254 not allowed`,
		"https://0.0.0.0/":                 `Post "https://0.0.0.0/": dial 0.0.0.0: address 0.0.0.0 not allowed`,
		"https://nowhere.example.com":      `Post "https://nowhere.example.com": dial nowhere.example.com: no address found`,
		"https://localhost":                `Post "https://localhost": tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not localhost`,
		"":                                 "webhook configuration must have either service or URL",
	} {
		if got := w.post(callout.Target{URL: url, CABundle: w.bundle()}); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", url, got, want)
		}
	}
	for _, address := range w.mu.dialled {
		if address != "192.0.2.7:443" && address != "127.0.0.1:444" && address != "127.0.0.1:443" {
			t.Errorf("dialled %s", address)
		}
	}
	if got := w.post(callout.Target{URL: "https://example.com", CABundle: []byte("nonsense")}); !strings.Contains(got, "unable to parse bytes as PEM block") {
		t.Error(got)
	}
}

// What is no success is an error in the words of the API's clients; a redirect is none, and leads nowhere.
func TestAnswersThatAreNoSuccess(t *testing.T) {
	seen := 0
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		seen++
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(rw, r, "https://example.com/elsewhere", http.StatusTemporaryRedirect)
		case "/broken":
			http.Error(rw, "out of order", http.StatusInternalServerError)
		case "/long":
			_, _ = rw.Write(make([]byte, callout.AnswerLimit+1))
		default:
			http.NotFound(rw, r)
		}
	})
	w.names["example.com"] = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	for path, want := range map[string]string{
		"redirect": "the server responded with the status code 307 but did not return more information",
		"broken":   `an error on the server ("out of order") has prevented the request from succeeding`,
		"absent":   "the server could not find the requested resource",
		"long":     "read answer: it is longer than 33554432 bytes",
	} {
		if got := w.post(callout.Target{URL: "https://example.com/" + path, CABundle: w.bundle()}); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", path, got, want)
		}
	}
	if seen != 4 {
		t.Errorf("the server saw %d requests", seen)
	}
}

// A call ends with its context, and the connection with it.
func TestCallEndsWithContext(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 8))
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	w.names["example.com"] = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	endpoint, err := w.caller.Endpoint(callout.Target{URL: "https://example.com", CABundle: w.bundle()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := endpoint.Post(ctx, nil, []byte(`{}`)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-left
}

// Equal targets share an endpoint and so its connections.
func TestEqualTargetsShareConnections(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "called") })
	w.names["example.com"] = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	for range 3 {
		if got := w.post(callout.Target{URL: "https://example.com/" + "x", CABundle: w.bundle()}); got != "called" {
			t.Error(got)
		}
	}
	if len(w.mu.dialled) != 1 {
		t.Errorf("dialled %v", w.mu.dialled)
	}
	if got := w.post(callout.Target{URL: "https://example.com/x"}); !strings.Contains(got, "certificate signed by unknown authority") {
		t.Error(got)
	}
}
