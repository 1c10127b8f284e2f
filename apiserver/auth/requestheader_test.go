package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"proa/apiserver/auth"
)

func TestRequestHeaders(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clients, proxies := newIssuer(t), newIssuer(t)
	pool, others := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(proxies.cert)
	others.AddCert(clients.cert)
	clock := func() time.Time { return now }
	all := auth.First(auth.NewRequestHeaders(pool, []string{"front-proxy-client"}, clock), auth.NewCertificates(others, clock))
	ask := func(cert *x509.Certificate, header http.Header) (auth.User, bool, error) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header, r.TLS = header, &tls.ConnectionState{}
		if cert != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{cert}
		}
		return all.Authenticate(r)
	}
	proxy := proxies.client("front-proxy-client", now, x509.ExtKeyUsageClientAuth)
	ann := http.Header{"X-Remote-User": {"ann"}, "X-Remote-Uid": {"7"}, "X-Remote-Group": {"a", "", "b"},
		"X-Remote-Extra-Example.com%2fscope": {"read", "write"}, "x-remote-extra-raw": {"1"}}
	u, ok, err := ask(proxy, ann)
	want := auth.User{Name: "ann", UID: "7", Groups: []string{"a", "b", "system:authenticated"},
		Extra: map[string][]string{"example.com/scope": {"read", "write"}, "raw": {"1"}}}
	if !ok || !reflect.DeepEqual(u, want) {
		t.Errorf("%v %v %v", u, ok, err)
	}
	for name, c := range map[string]struct {
		cert *x509.Certificate
		want string // empty: refused
	}{
		"nobody":                 {nil, "system:anonymous"},
		"a client":               {clients.client("bob", now, x509.ExtKeyUsageClientAuth), "bob"},
		"another name":           {proxies.client("mallory", now, x509.ExtKeyUsageClientAuth), ""},
		"expired":                {proxies.client("front-proxy-client", now.Add(-2*time.Hour), x509.ExtKeyUsageClientAuth), ""},
		"for servers":            {proxies.client("front-proxy-client", now, x509.ExtKeyUsageServerAuth), ""},
		"signed by the other CA": {clients.client("front-proxy-client", now, x509.ExtKeyUsageClientAuth), "front-proxy-client"},
	} {
		u, ok, err := ask(c.cert, ann)
		if got := u.Name; got != c.want || ok != (c.want != "") || (err == nil) != ok {
			t.Errorf("%s: %q %v %v, want %q", name, got, ok, err, c.want)
		}
	}
	if u, ok, err := ask(proxy, http.Header{"X-Remote-Group": {"system:masters"}}); ok || err == nil {
		t.Errorf("a proxy that names nobody is %v", u)
	}
}

// What authenticators read goes no further, and a header without any of it is not copied.
func TestStripCredentials(t *testing.T) {
	plain := http.Header{"Accept": {"application/json"}, "X-Remote-Other": {"stays"}}
	if got := auth.StripCredentials(plain); reflect.ValueOf(got).Pointer() != reflect.ValueOf(plain).Pointer() {
		t.Error("copied though nothing had to go")
	}
	for _, name := range []string{"Authorization", "X-Remote-User", "X-Remote-Uid", "X-Remote-Group", "X-Remote-Extra-Scopes", "x-remote-extra-raw"} {
		h := http.Header{"Accept": {"application/json"}, "X-Remote-Other": {"stays"}, name: {"x"}}
		if got := auth.StripCredentials(h); !reflect.DeepEqual(got, plain) {
			t.Errorf("%s: %v is left", name, got)
		}
		if len(h[name]) == 0 {
			t.Errorf("%s was taken from the caller's header", name)
		}
	}
}
