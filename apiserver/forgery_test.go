package apiserver_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"proa/apiserver"
	"proa/apiserver/stream"
)

// network is what a server under test sees of one: every address leads to the same two servers, one of which speaks TLS.
type network struct {
	plain, secure *httptest.Server
	mu            struct {
		sync.Mutex
		dialled []string
		shown   []string // certificates that the other side was shown
	}
}

func newNetwork(t *testing.T, serve http.HandlerFunc) *network {
	n := &network{}
	noted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			n.mu.Lock()
			for _, c := range r.TLS.PeerCertificates {
				n.mu.shown = append(n.mu.shown, c.Subject.Organization...)
			}
			n.mu.Unlock()
		}
		serve(w, r)
	})
	n.plain, n.secure = httptest.NewServer(noted), httptest.NewUnstartedServer(noted)
	n.secure.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	n.secure.StartTLS()
	t.Cleanup(n.plain.Close)
	t.Cleanup(n.secure.Close)
	return n
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.mu.dialled = append(n.mu.dialled, address)
	n.mu.Unlock()
	to := n.plain
	if strings.HasSuffix(address, ":443") || strings.HasSuffix(address, ":10250") {
		to = n.secure
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to.Listener.Addr().String())
}

// forge makes a server in that network. Its own identity towards nodes is the certificate of the network's TLS server.
func forge(t *testing.T, n *network) *place {
	return newChanged(t, func(c *apiserver.Config) {
		identity := n.secure.TLS.Certificates
		streams, err := stream.New(stream.Config{Source: c.Store, Authorizer: c.Authorizer, Dial: n.dial,
			NodeTLS: &tls.Config{Certificates: identity, InsecureSkipVerify: true}}) // whom the network's server is, is not the question
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(streams.Close)
		c.Streams = streams
	})
}

const (
	forgedPod       = "/api/v1/namespaces/a/pods/p"
	forgedService   = "/api/v1/namespaces/a/services/s"
	forgedEndpoints = "/api/v1/namespaces/a/endpoints"
	forgedNode      = "/api/v1/nodes/n"
)

// made is what users may write: a pod, a Service with a port, a node.
var made = []string{"POST /api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "POST /api/v1/namespaces\n\n{\"metadata\":{\"name\":\"b\"}}",
	"POST /api/v1/namespaces/a/pods\n\n" + `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":8080}]}]}}`,
	"POST /api/v1/namespaces/b/pods\n\n" + `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}`,
	"POST /api/v1/namespaces/a/services\n\n" + `{"metadata":{"name":"s"},"spec":{"clusterIP":"None","ports":[{"name":"http","port":80}]}}`,
	"POST /api/v1/nodes\n\n" + `{"metadata":{"name":"n"}}`}

func podAt(namespace, ips string) string {
	return "PATCH /api/v1/namespaces/" + namespace + "/pods/p/status\nContent-Type: application/merge-patch+json\n\n" + `{"status":` + ips + `}`
}

func nodeAt(addresses string) string {
	return "PATCH " + forgedNode + "/status\nContent-Type: application/merge-patch+json\n\n" + `{"status":{"addresses":[` + addresses + `]}}`
}

func behindService(ip, reference string, port int) string {
	return "POST " + forgedEndpoints + "\n\n" + fmt.Sprintf(`{"metadata":{"name":"s"},"subsets":[{"addresses":[{"ip":%q%s}],"ports":[{"name":"http","port":%d}]}]}`, ip, reference, port)
}

const (
	ofPod      = `,"targetRef":{"kind":"Pod","namespace":"a","name":"p"}`
	ofOthers   = `,"targetRef":{"kind":"Pod","namespace":"b","name":"p"}`
	ofNobody   = `,"targetRef":{"kind":"Pod","namespace":"a","name":"none"}`
	nowhere    = `,"targetRef":{"kind":"Pod","name":"p"}`
	notAllowed = "400 address not allowed"
)

// forgery is a request that would have the server go where the user cannot. before is written first.
type forgery struct {
	before, path string
	want         string // the code and the message, or the request that the other side saw
	dialled      string
}

func forgeries() []forgery {
	all := []forgery{
		// Upstream proxies to whatever address a pod has that is a global unicast one, its own and its nodes' among them: who may
		// write pods/status or use the host's network may reach those anyway. It shows no certificate there.
		{podAt("a", `{"podIP":"10.1.2.3"}`), forgedPod + "/proxy/x?q=1", "200 GET /x?q=1", "10.1.2.3:8080"},
		{podAt("a", `{"podIP":"192.0.2.10","hostIP":"192.0.2.10"}`), "/api/v1/namespaces/a/pods/https:p:10250/proxy/pods", "200 GET /pods", "192.0.2.10:10250"},
		{podAt("a", `{"podIP":"fd00::1"}`), "/api/v1/namespaces/a/pods/http:p:80/proxy/", "200 GET /", "[fd00::1]:80"},
		// The first address counts, and podIP says which that is.
		{podAt("a", `{"podIP":"169.254.169.254","podIPs":[{"ip":"10.1.2.3"}]}`), forgedPod + "/proxy/", notAllowed, ""},
		{podAt("a", `{"podIP":"10.1.2.3","podIPs":[{"ip":"10.1.2.3"},{"ip":"fd00::1"}]}`), forgedPod + "/proxy/", "200 GET /", "10.1.2.3:8080"},
		// Names.
		{podAt("a", `{"podIP":"10.1.2.3"}`), "/api/v1/namespaces/a/pods/ftp:p:21/proxy/", `400 invalid pod request "ftp:p:21"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`), "/api/v1/namespaces/a/pods/http:p:80:81/proxy/", `400 invalid pod request "http:p:80:81"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`), "/api/v1/namespaces/a/pods/p:http/proxy/", `400 invalid pod request "p:http"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`), "/api/v1/namespaces/a/pods/p:80@169.254.169.254/proxy/", `400 invalid pod request "p:80@169.254.169.254"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`), "/api/v1/namespaces/a/pods/p:-1/proxy/", `400 invalid pod request "p:-1"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`), "/api/v1/namespaces/a/pods/p@evil:80/proxy/", `404 pods "p@evil" not found`, ""},
		// Paths are cleaned, and never leave what is behind the proxy.
		{podAt("a", `{"podIP":"10.1.2.3"}`), forgedPod + "/proxy/x/../../../y//z/", "200 GET /y/z/", "10.1.2.3:8080"},
		{podAt("a", `{"podIP":"10.1.2.3"}`), forgedPod + "/proxy/%2e%2e/%2e%2e/y", "200 GET /y", "10.1.2.3:8080"},
		{podAt("a", `{"podIP":"10.1.2.3"}`), forgedPod + "/proxy/http://169.254.169.254/y", "200 GET /http:/169.254.169.254/y", "10.1.2.3:8080"},
		{podAt("a", `{"podIP":"10.1.2.3"}`), forgedPod + "/proxy/x?path=/other", "200 GET /x?path=/other", "10.1.2.3:8080"},

		// A Service's endpoints count when they are addresses of pods of its namespace.
		{podAt("a", `{"podIP":"10.1.2.3"}`) + "\n;" + behindService("10.1.2.3", ofPod, 8080), forgedService + ":http/proxy/x", "200 GET /x", "10.1.2.3:8080"},
		{podAt("a", `{"podIP":"10.1.2.3"}`) + "\n;" + behindService("10.1.2.3", ofPod, 443), "/api/v1/namespaces/a/services/https:s:80/proxy/x", "200 GET /x", "10.1.2.3:443"},
		{podAt("a", `{"podIP":"10.1.2.3"}`) + "\n;" + behindService("10.9.9.9", ofPod, 8080), forgedService + ":http/proxy/", `503 no endpoints available for service "s:http"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`) + "\n;" + behindService("10.1.2.3", ofNobody, 8080), forgedService + ":http/proxy/", `503 no endpoints available for service "s:http"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`) + "\n;" + behindService("10.1.2.3", nowhere, 8080), forgedService + ":http/proxy/", `503 no endpoints available for service "s:http"`, ""},
		{podAt("a", `{"podIP":"10.1.2.3"}`) + "\n;" + behindService("10.1.2.3", "", 8080), forgedService + ":http/proxy/", `503 no endpoints available for service "s:http"`, ""},
		{podAt("b", `{"podIP":"10.1.2.4"}`) + "\n;" + behindService("10.1.2.4", ofOthers, 8080), forgedService + ":http/proxy/", `503 no endpoints available for service "s:http"`, ""},
		{"", forgedService + ":http/proxy/", `404 endpoints "s" not found`, ""},
		{"", forgedService + ":81/proxy/", `503 no service port 81 found for service "s"`, ""},
		{"", "/api/v1/namespaces/a/services/s.b:80/proxy/", `404 services "s.b" not found`, ""},

		// Nodes write their own status. What they call themselves is not resolved.
		{nodeAt(`{"type":"InternalIP","address":"192.0.2.10"}`), forgedNode + "/proxy/metrics", "200 GET /metrics shown Acme Co", "192.0.2.10:10250"},
		{nodeAt(`{"type":"InternalIP","address":"192.0.2.10"}`), "/api/v1/nodes/n:9100/proxy/metrics", "200 GET /metrics", "192.0.2.10:9100"},
		{nodeAt(`{"type":"InternalIP","address":"192.0.2.10"}`), "/api/v1/nodes/https:n:443/proxy/metrics", "200 GET /metrics", "192.0.2.10:443"},
		{nodeAt(`{"type":"InternalIP","address":"192.0.2.10"}`), "/api/v1/nodes/n:http/proxy/metrics", `400 invalid node request "n:http"`, ""},
		{nodeAt(`{"type":"InternalIP","address":"127.0.0.1"}`), forgedNode + "/proxy/metrics", notAllowed, ""},
		{nodeAt(`{"type":"InternalIP","address":"127.0.0.1"}`), "/api/v1/nodes/n:6443/proxy/metrics", notAllowed, ""},
		{nodeAt(`{"type":"ExternalIP","address":"169.254.169.254"}`), "/api/v1/nodes/n:80/proxy/", notAllowed, ""},
		{nodeAt(`{"type":"Hostname","address":"localhost"},{"type":"InternalDNS","address":"metadata.internal"}`), forgedNode + "/proxy/metrics", "500 no preferred addresses found; known addresses: [{Hostname localhost} {InternalDNS metadata.internal}]", ""},
		{"", forgedNode + "/proxy/metrics", "500 no preferred addresses found; known addresses: []", ""},
	}
	for _, ip := range []string{"127.0.0.1", "127.9.9.9", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "ff02::1"} {
		all = append(all, forgery{podAt("a", `{"podIP":"`+ip+`"}`), forgedPod + "/proxy/", notAllowed, ""},
			forgery{podAt("a", `{"podIP":"`+ip+`"}`), "/api/v1/namespaces/a/pods/https:p:6443/proxy/", notAllowed, ""})
	}
	return all
}

// What a user writes into objects, names and paths does not lead the server to itself, to its host, or to the link.
func TestProxiesGoWhereUpstreamsDo(t *testing.T) {
	for _, c := range forgeries() {
		t.Run(c.path+" "+c.before, func(t *testing.T) {
			n := newNetwork(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.URL.RequestURI()) })
			p := forge(t, n)
			requests := slices.Clone(made)
			if c.before != "" {
				requests = append(requests, strings.Split(c.before, "\n;")...)
			}
			for _, request := range requests {
				if r := p.do(request); r.StatusCode > 201 {
					body, _ := io.ReadAll(r.Body)
					t.Fatalf("%s: %d %s", request, r.StatusCode, body)
				}
			}
			r := p.do("GET " + c.path)
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(r.StatusCode, " ", messageOf(body))
			if len(n.mu.shown) > 0 {
				got += " shown " + strings.Join(n.mu.shown, ",")
			}
			if dialled := strings.Join(n.mu.dialled, " "); got != c.want || dialled != c.dialled {
				t.Errorf("%s at %q\nwant %s at %q", got, dialled, c.want, c.dialled)
			}
		})
	}
}

// Endpoints that lead to a host itself or to its link cannot be written at all.
func TestEndpointsAreAddressesOfOthers(t *testing.T) {
	p := newPlace(t)
	for _, request := range made {
		p.do(request)
	}
	for ip, want := range map[string]string{
		"127.0.0.1": "may not be in the loopback range (127.0.0.0/8, ::1/128)", "::1": "may not be in the loopback range (127.0.0.0/8, ::1/128)",
		"169.254.169.254": "may not be in the link-local range (169.254.0.0/16, fe80::/10)", "fe80::1": "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
		"224.0.0.1": "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)", "0.0.0.0": "may not be unspecified (0.0.0.0)",
	} {
		family := "IPv4"
		if strings.Contains(ip, ":") {
			family = "IPv6"
		}
		slice := "POST /apis/discovery.k8s.io/v1/namespaces/a/endpointslices\n\n" + `{"metadata":{"name":"s-1","labels":{"kubernetes.io/service-name":"s"}},"addressType":"` + family + `","endpoints":[{"addresses":["` + ip + `"]}],"ports":[{"name":"http","port":80}]}`
		for _, request := range []string{behindService(ip, ofPod, 80), slice} {
			r := p.do(request)
			body, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(messageOf(body), want) {
				t.Errorf("%s: %d %s, %v", request, r.StatusCode, messageOf(body), err)
			}
		}
	}
}

// Who asks is the API server's affair: what is behind a proxy sees neither credentials nor names, whichever way it is asked,
// and what the client says of the proxies before it stays what it says.
func TestProxiesKeepCredentials(t *testing.T) {
	seen := make(chan http.Header, 1)
	n := newNetwork(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		if r.Header.Get("Upgrade") == "" {
			return
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			conn.Close()
		}
	})
	p := forge(t, n)
	for _, request := range append(slices.Clone(made), podAt("a", `{"podIP":"10.1.2.3"}`), behindService("10.1.2.3", ofPod, 8080), nodeAt(`{"type":"InternalIP","address":"192.0.2.10"}`)) {
		p.do(request)
	}
	for _, path := range []string{forgedPod + "/proxy/x", forgedService + ":http/proxy/x", forgedNode + "/proxy/x", "/api/v1/nodes/n:9100/proxy/x"} {
		for _, upgrade := range []string{"", "Connection: Upgrade\r\nUpgrade: echo\r\n"} {
			answer := p.raw("GET " + path + " HTTP/1.1\r\nHost: api.example\r\nX-User: admin\r\nAuthorization: Bearer secret\r\nImpersonate-User: jane\r\nImpersonate-Group: dev\r\nimpersonate-extra-scope: all\r\n" +
				"X-Remote-User: root\r\nx-remote-group: system:masters\r\nX-Remote-Extra-Scope: all\r\nX-Remote-Uid: 1\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: other\r\nCookie: a=b\r\n" + upgrade + "\r\n")
			if answer != "HTTP/1.1 200 OK" && upgrade == "" || upgrade != "" && !strings.HasPrefix(answer, "HTTP/1.1 101") {
				t.Fatalf("%s %q: %s", path, upgrade, answer)
			}
			header := <-seen
			for name := range header {
				for _, secret := range []string{"Authorization", "Impersonate-", "X-Remote-"} {
					if strings.HasPrefix(name, secret) {
						t.Errorf("%s %q: %s went along", path, upgrade, name)
					}
				}
			}
			if got := header.Get("X-Forwarded-For"); got != "192.0.2.1, 127.0.0.1" {
				t.Errorf("%s %q: forwarded for %q", path, upgrade, got)
			}
			if header.Get("Cookie") != "a=b" {
				t.Errorf("%s %q: the cookie is lost", path, upgrade)
			}
		}
	}
}

// raw writes a request as it is and returns the first line of the answer.
func (p *place) raw(request string) string {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.http.Listener.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		p.t.Fatal(err)
	}
	var line []byte
	for buffer := make([]byte, 1); !strings.HasSuffix(string(line), "\r\n"); line = append(line, buffer[0]) {
		if _, err := conn.Read(buffer); err != nil {
			p.t.Fatal(err)
		}
	}
	return strings.TrimSpace(string(line))
}

// Redirects are the client's to follow. Those to the pod itself lead through the proxy again, as upstream's do.
func TestProxiesFollowNoRedirect(t *testing.T) {
	for to, want := range map[string]string{
		"http://169.254.169.254/latest":  "http://169.254.169.254/latest",
		"//metadata.internal/":           "//metadata.internal/",
		"/login?x=1":                     forgedPod + "/proxy/login?x=1",
		"http://10.1.2.3:8080/login":     forgedPod + "/proxy/login",
		"relative":                       "relative",
		"/api/v1/namespaces/a/secrets/s": forgedPod + "/proxy/api/v1/namespaces/a/secrets/s",
	} {
		for _, code := range []int{301, 302, 303, 307, 308} {
			n := newNetwork(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", to); w.WriteHeader(code) })
			p := forge(t, n)
			for _, request := range append(slices.Clone(made), podAt("a", `{"podIP":"10.1.2.3"}`)) {
				p.do(request)
			}
			r := httptest.NewRequest("GET", forgedPod+"/proxy/x", nil)
			r.Header.Set("X-User", "admin")
			w := httptest.NewRecorder()
			p.server.Handler().ServeHTTP(w, r)
			if w.Code != code || w.Header().Get("Location") != want || len(n.mu.dialled) != 1 {
				t.Errorf("%d to %s: %d to %s, dialled %v", code, to, w.Code, w.Header().Get("Location"), n.mu.dialled)
			}
		}
	}
}

// Where webhooks are is checked when they are written, alike wherever they are named. CRDs and APIServices are checked by
// rules of their own upstream, too.
func TestAddressesOfWebhooks(t *testing.T) {
	p := newPlace(t)
	const form = "; desired format: https://host[/path]"
	clients := map[string]string{ // what is written into clientConfig, and what is said
		`"url":"http://a.example"`:                              `Invalid value: "http": 'https' is the only allowed URL scheme` + form,
		`"url":"https:///x"`:                                    `Invalid value: "": host must be specified` + form,
		`"url":"https://u:p@a.example"`:                         `Invalid value: "u:p": user information is not permitted in the URL`,
		`"url":"https://a.example/#f"`:                          `Invalid value: "f": fragments are not permitted in the URL`,
		`"url":"https://a.example/?q=1"`:                        `Invalid value: "q=1": query parameters are not permitted in the URL`,
		`"url":"https://a.example:x"`:                           `Required value: url must be a valid URL: parse "https://a.example:x": invalid port ":x" after host` + form,
		`"url":"file:///etc/passwd"`:                            `Invalid value: "file": 'https' is the only allowed URL scheme` + form,
		`"url":"https://127.0.0.1:6443/x"`:                      "",
		`"service":{"namespace":"b","name":"s"}`:                "",
		`"service":{"namespace":"b","name":"s","path":"x"}`:     `Invalid value: "x": must start with a '/'`,
		`"service":{"namespace":"b","name":"s","path":"/../x"}`: `Invalid value: "/../x": segment[0]: a lowercase RFC 1123 subdomain must consist of`,
		`"service":{"namespace":"b","name":"s","path":"/x?y"}`:  `Invalid value: "/x?y": segment[0]: a lowercase RFC 1123 subdomain must consist of`,
		`"service":{"namespace":"b","name":"s","port":0}`:       `Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive`,
		`"service":{"namespace":"b","name":"s","port":65536}`:   `Invalid value: 65536: port is not valid: must be between 1 and 65535, inclusive`,
	}
	for client, want := range clients {
		hook := `{"metadata":{"name":"x"},"webhooks":[{"name":"x.example.com","sideEffects":"None","admissionReviewVersions":["v1"],"clientConfig":{` + client + `}}]}`
		definition := strings.Replace(gears, `"url":"https://x.example"`, client, 1)
		for path, body := range map[string]string{
			"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations":   hook,
			"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": hook,
			"/apis/apiextensions.k8s.io/v1/customresourcedefinitions":               definition,
		} {
			r := p.do("POST " + path + "?dryRun=All\n\n" + body)
			answer, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if want == "" && r.StatusCode != http.StatusCreated || want != "" && (r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(messageOf(answer), want)) {
				t.Errorf("%s %s: %d %s\nwant %s", path, client, r.StatusCode, messageOf(answer), want)
			}
		}
	}
	for spec, want := range map[string]string{
		`"service":{"namespace":"a","name":"127.0.0.1"},"insecureSkipTLSVerify":true`:           "",
		`"service":{"namespace":"a","name":"s","port":0},"insecureSkipTLSVerify":true`:          `spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive`,
		`"service":{"namespace":"a","name":"s"},"insecureSkipTLSVerify":true,"caBundle":"eA=="`: `spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present`,
		`"service":{"namespace":"a"},"insecureSkipTLSVerify":true`:                              `spec.service.name: Required value`,
		`"insecureSkipTLSVerify":true`:                                                          `spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify`,
	} {
		r := p.do("POST /apis/apiregistration.k8s.io/v1/apiservices?dryRun=All\n\n" + `{"metadata":{"name":"v1.e.example"},"spec":{"group":"e.example","version":"v1","groupPriorityMinimum":1,"versionPriority":1,` + spec + `}}`)
		answer, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && r.StatusCode != http.StatusCreated || want != "" && !strings.Contains(messageOf(answer), want) {
			t.Errorf("%s: %d %s\nwant %s", spec, r.StatusCode, messageOf(answer), want)
		}
	}
}
