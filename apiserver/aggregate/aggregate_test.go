package aggregate_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"proa/apiserver/aggregate"
	"proa/apiserver/auth"
	"proa/apiserver/callout"
	"proa/apiserver/discovery"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
	"proa/store/storetest"
)

// world is a store with an APIService whose Service leads to a server, and an API server's front that passes requests on.
type world struct {
	t          *testing.T
	store      store.Store
	aggregator *aggregate.Aggregator
	front      *httptest.Server
	ended      chan struct{} // one for each connection to the server behind that was closed
}

// counted is a connection that says when it ends.
type counted struct {
	net.Conn
	closed func()
}

func (c counted) Close() error { c.closed(); return c.Conn.Close() }

func newWorld(t *testing.T, behind http.HandlerFunc, available bool) *world {
	t.Helper()
	w := &world{t: t, ended: make(chan struct{}, 16), store: storetest.New(t, encode.Decoder(kinds.Builtin()))}
	server := httptest.NewUnstartedServer(behind)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	caller, err := callout.New(callout.Config{Source: w.store, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, server.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		return counted{conn, sync.OnceFunc(func() { w.ended <- struct{}{} })}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.put("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "api"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Ports: []corev1.ServicePort{{Name: "https", Port: 443}}}})
	w.put("endpointslices.discovery.k8s.io", &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "a", Name: "api-1", Labels: map[string]string{discoveryv1.LabelServiceName: "api"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(8443))}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}})
	w.put("apiservices.apiregistration.k8s.io", service("v1", available))
	w.aggregator, err = aggregate.New(aggregate.Config{Source: w.store, Caller: caller,
		ClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	local := discovery.New(discovery.Config{Kinds: kinds.Builtin(), Scheme: kinds.NewScheme(), Version: discovery.VersionInfo("", "")}).Serve
	w.front = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r = r.WithContext(auth.WithUser(r.Context(), auth.User{Name: "jane", Groups: []string{"dev"}, Extra: map[string][]string{"a/b": {"c"}}}))
		if !w.aggregator.Serve(rw, r) && !w.aggregator.Discovery(local)(rw, r) {
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(w.front.Close)
	return w
}

func service(version string, available bool) *apiregistrationv1.APIService {
	status := apiregistrationv1.ConditionFalse
	if available {
		status = apiregistrationv1.ConditionTrue
	}
	return &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: version + ".example.com"},
		Spec: apiregistrationv1.APIServiceSpec{Group: "example.com", Version: version, GroupPriorityMinimum: 17150, VersionPriority: 15,
			InsecureSkipTLSVerify: true, Service: &apiregistrationv1.ServiceReference{Namespace: "a", Name: "api", Port: new(int32(443))}},
		Status: apiregistrationv1.APIServiceStatus{Conditions: []apiregistrationv1.APIServiceCondition{{Type: apiregistrationv1.Available, Status: status}}}}
}

func (w *world) put(table string, obj resource.Object) {
	w.t.Helper()
	data, err := encode.ToStore(obj)
	if err != nil {
		w.t.Fatal(err)
	}
	key := store.Key{Table: table, Namespace: obj.GetNamespace(), Name: obj.GetName()}
	if _, err := w.store.Commit(w.t.Context(), store.Op{Key: key, Expect: store.Any, Data: data, Value: obj}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(path string, header ...string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, w.front.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
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

// The server behind is told who asks, by the front proxy alone: what the client says of itself is not passed on.
func TestUserIsNamedByTheFrontProxy(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%s %s?%s %q %q %q %q %q", r.Method, r.URL.Path, r.URL.RawQuery, r.Header["X-Remote-User"], r.Header["X-Remote-Group"],
			r.Header["X-Remote-Extra-A%2fb"], r.Header["X-Remote-Extra-Root"], r.Header["Impersonate-User"])
	}, true)
	_, got := w.get("/apis/example.com/v1/things?limit=1", "X-Remote-User", "root", "X-Remote-Extra-Root", "yes", "Impersonate-User", "root")
	if want := `GET /apis/example.com/v1/things?limit=1 ["jane"] ["dev"] ["c"] [] []`; got != want {
		t.Errorf("the server behind saw %s, want %s", got, want)
	}
	// Headers that Connection names end at the proxy: a client must not take away who it is, nor what its groups are denied.
	if _, got = w.get("/apis/example.com/v1/things", "Connection", "X-Remote-User, X-Remote-Group, X-Remote-Extra-A%2fb"); got != `GET /apis/example.com/v1/things? ["jane"] ["dev"] ["c"] [] []` {
		t.Errorf("the server behind saw %s of a client that had the user's headers dropped", got)
	}
	if response, _ := w.get("/apis/example.com/v2/things"); response.StatusCode != http.StatusNotFound {
		t.Errorf("a version that nobody serves answers %d", response.StatusCode)
	}
}

func TestUnavailable(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("a Service that is not available was asked") }, false)
	if response, body := w.get("/apis/example.com/v1/things"); response.StatusCode != http.StatusServiceUnavailable || body != "service unavailable\n" {
		t.Errorf("answered %d %q", response.StatusCode, body)
	}
}

// A certificate that the bundle does not vouch for is refused.
func TestCertificateIsChecked(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("a server that nobody vouches for was asked") }, true)
	s := service("v1", true)
	s.Spec.InsecureSkipTLSVerify = false
	if err := w.aggregator.Check(t.Context(), s); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("checked with %v", err)
	}
}

// Followed, a redirect would lead the API server with its own rights to wherever the server behind wants (CVE-2020-8559, CVE-2022-3172).
func TestRedirectsAreRefused(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "https://169.254.169.254/", code) }, true)
		if response, body := w.get("/apis/example.com/v1/things"); response.StatusCode != http.StatusBadGateway || response.Header.Get("Location") != "" {
			t.Errorf("%d: answered %d to %q: %s", code, response.StatusCode, response.Header.Get("Location"), body)
		}
	}
}

// A request has one name in the logs of both servers, whether or not the client chose it.
func TestRequestKeepsItsAuditID(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Header["Audit-Id"]) }, true)
	front := w.front.Config.Handler
	w.front.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Audit-ID", "7") // as the filter does that names requests
		front.ServeHTTP(rw, r)
	})
	if _, got := w.get("/apis/example.com/v1/things", "Audit-Id", "8"); got != "[7]" {
		t.Errorf("the server behind saw %s", got)
	}
}

// upgrade asks the front to switch protocols and returns the answer and the connection.
func (w *world) upgrade() (*http.Response, *bufio.Reader, net.Conn) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /apis/example.com/v1/things HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Remote-User: root\r\n\r\n")
	from := bufio.NewReader(conn)
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return response, from, conn
}

// A connection that was not upgraded must not be left to the client: it would send requests there as the API server
// (CVE-2018-1002105).
func TestRefusedUpgradeLeavesNoConnection(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no", http.StatusForbidden) }, true)
	response, from, conn := w.upgrade()
	if response.StatusCode != http.StatusForbidden {
		t.Fatalf("answered %d", response.StatusCode)
	}
	fmt.Fprintf(conn, "GET /apis/example.com/v1/secrets HTTP/1.1\r\nHost: x\r\nX-Remote-User: root\r\n\r\n")
	rest, _ := io.ReadAll(from) // until the front closes
	if strings.Count(string(rest), "HTTP/1.1 403") != 0 {
		t.Errorf("a second request got through: %s", rest)
	}
	<-w.ended
}

func TestUpgradedConnection(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		conn, both, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n%s\n", r.Header["X-Remote-User"])
		both.Flush()
		line, _ := both.ReadString('\n')
		both.WriteString(line)
		both.Flush()
	}, true)
	response, from, conn := w.upgrade()
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answered %d", response.StatusCode)
	}
	fmt.Fprintln(conn, "hello")
	if got, _ := io.ReadAll(from); string(got) != "[jane]\nhello\n" {
		t.Errorf("got %q", got)
	}
}

// Events of a watch come as they happen.
func TestWatchIsStreamed(t *testing.T) {
	next := make(chan bool)
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		for more := range next {
			if !more {
				return
			}
			fmt.Fprintln(rw, `{"type":"ADDED"}`)
			rw.(http.Flusher).Flush()
		}
	}, true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		response, err := http.Get(w.front.URL + "/apis/example.com/v1/things?watch=true")
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		for range 2 {
			if !lines.Scan() {
				t.Error("the stream ended early")
			}
			next <- true
		}
	}()
	next <- true
	<-done
	next <- false
}

func list(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/apis/example.com/v1":
		_ = json.NewEncoder(rw).Encode(metav1.APIResourceList{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{
			{Name: "things", SingularName: "thing", Kind: "Thing", Namespaced: true, Verbs: []string{"get", "list"}}, {Name: "things/status", Kind: "Thing", Verbs: []string{"get"}}}})
	case "/openapi/v3":
		fmt.Fprint(rw, `{"paths":{"apis/example.com/v1":{"serverRelativeURL":"/openapi/v3/apis/example.com/v1?hash=1"},"apis/apps/v1":{"serverRelativeURL":"/evil"}}}`)
	case "/openapi/v2":
		fmt.Fprint(rw, `{"swagger":"2.0","info":{"title":"theirs","version":"9"},
"paths":{"/apis/example.com/v1/things":{"get":{"responses":{"200":{"description":"OK","schema":{"$ref":"#/definitions/com.example.Thing"}}}}},
"/apis/apps/v1/deployments":{"get":{"description":"evil","responses":{"200":{"description":"OK","schema":{"$ref":"#/definitions/com.example.Evil"}}}}}, "/apis/example.com/v2/things":{"get":{"description":"of another version"}}},
"definitions":{"com.example.Evil":{"type":"object"},
"com.example.Thing":{"type":"object","properties":{"selector":{"$ref":"#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector":{"type":"string","description":"not what it is here"}}}`)
	default:
		http.NotFound(rw, r)
	}
}

// What a Service serves is listed among the rest, by priority, and called stale while it does not answer.
func TestDiscovery(t *testing.T) {
	w := newWorld(t, list, true)
	var groups metav1.APIGroupList
	_, body := w.get("/apis")
	if err := json.Unmarshal([]byte(body), &groups); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range groups.Groups {
		names = append(names, g.Name)
	}
	if i := slices.Index(names, "example.com"); i < 1 || names[i-1] != "networking.k8s.io" || names[i+1] != "policy" {
		t.Errorf("groups are listed as %v", names)
	}
	if _, body := w.get("/apis/example.com"); !strings.Contains(body, `"preferredVersion":{"groupVersion":"example.com/v1","version":"v1"}`) {
		t.Errorf("the group is shown as %s", body)
	}
	const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	if got := w.aggregated(accept); got != "example.com v1 Stale " {
		t.Errorf("before it was asked: %s", got)
	}
	if err := w.aggregator.Check(t.Context(), service("v1", true)); err != nil {
		t.Fatal(err)
	}
	if got := w.aggregated(accept); got != "example.com v1 Current things/status " {
		t.Errorf("after it was asked: %s", got)
	}
	response, _ := w.get("/apis", "Accept", accept)
	if again, body := w.get("/apis", "Accept", accept, "If-None-Match", response.Header.Get("ETag")); again.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("asked again, it answers %d", again.StatusCode)
	}
}

// aggregated prints what the aggregated form says of the group.
func (w *world) aggregated(accept string) string {
	w.t.Helper()
	_, body := w.get("/apis", "Accept", accept)
	var list apidiscoveryv2.APIGroupDiscoveryList
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, g := range list.Items {
		if g.Name != "example.com" {
			continue
		}
		for _, v := range g.Versions {
			fmt.Fprintf(&b, "%s %s %s ", g.Name, v.Version, v.Freshness)
			for _, r := range v.Resources {
				for _, sub := range r.Subresources {
					fmt.Fprintf(&b, "%s/%s ", r.Resource, sub.Subresource)
				}
			}
		}
	}
	return b.String()
}

// A Service speaks for its own version only.
func TestSchemas(t *testing.T) {
	w := newWorld(t, list, true)
	_, body := w.get("/openapi/v3")
	if !strings.Contains(body, `"apis/example.com/v1":{"serverRelativeURL":"/openapi/v3/apis/example.com/v1?hash=1"}`) || strings.Contains(body, "evil") {
		t.Errorf("schemas are listed as %s", body)
	}
}

// The one document of OpenAPI 2 has the paths of a Service's version, and what they need; what is called alike here and there
// is kept apart.
func TestSwagger(t *testing.T) {
	w := newWorld(t, list, true)
	response, body := w.get("/openapi/v2")
	var doc spec.Swagger
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%d %v: %.200s", response.StatusCode, err, body)
	}
	things, ok := doc.Paths.Paths["/apis/example.com/v1/things"]
	if !ok || things.Get.Responses.StatusCodeResponses[200].Schema.Ref.String() != "#/definitions/com.example.Thing" {
		t.Errorf("things are described as %+v", things)
	}
	if _, ok := doc.Paths.Paths["/apis/example.com/v2/things"]; ok {
		t.Error("a Service described a version that it does not serve")
	}
	if deployments := doc.Paths.Paths["/apis/apps/v1/deployments"]; deployments.Get == nil || deployments.Get.Description == "evil" {
		t.Error("a Service described what it does not serve")
	}
	const selector = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"
	if s := doc.Definitions["com.example.Thing"].Properties["selector"]; s.Ref.String() != "#/definitions/"+selector+"_v2" {
		t.Errorf("its selector is %s", s.Ref.String())
	}
	if doc.Definitions[selector].Type[0] != "object" || doc.Definitions[selector+"_v2"].Type[0] != "string" {
		t.Error("definitions of the same name were mixed up")
	}
	if _, ok := doc.Definitions["com.example.Evil"]; ok || doc.Info.Title == "theirs" {
		t.Error("more was taken than the paths need")
	}
	again, _ := w.get("/openapi/v2", "If-None-Match", response.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again, it answers %d", again.StatusCode)
	}
	binary, why := w.get("/openapi/v2", "Accept", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
	if got := binary.Header.Get("Content-Type"); got != "application/com.github.proto-openapi.spec.v2.v1.0+protobuf" {
		t.Errorf("asked for the binary form, it answers %s %.200s", got, why)
	}
}

// The list of versions follows the store.
func TestFollows(t *testing.T) {
	w := newWorld(t, list, true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.aggregator.Run(ctx) }()
	w.put("apiservices.apiregistration.k8s.io", service("v2", false))
	for {
		if response, _ := w.get("/apis/example.com/v2"); response.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
