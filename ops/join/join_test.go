package join_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver"
	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/client"
	"proa/client/remote"
	"proa/kinds"
	"proa/ops/join"
	"proa/ops/pki"
	"proa/store/storetest"
)

// clock is set by hand.
type clock struct {
	sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.now = c.now.Add(d)
}

// cluster is a server with everything that joining touches, real but for its disk.
type cluster struct {
	t      *testing.T
	dir    string
	clock  *clock
	keys   *pki.PKI
	api    client.Client // as an administrator
	http   *httptest.Server
	token  string
	secret string
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), clock: &clock{now: time.Now()}}
	table := kinds.Builtin()
	s := storetest.New(t, encode.Decoder(table))
	var err error
	c.keys, err = pki.Open(pki.Config{Dir: filepath.Join(c.dir, "pki"), Addresses: []net.IP{net.IPv4(127, 0, 0, 1)}, Now: c.clock.Now, Log: slog.New(slog.DiscardHandler)})
	c.must(err)
	c.secret, err = join.OpenSecret(c.dir)
	c.must(err)
	token, err := join.NewToken(c.keys.CA(), c.secret)
	c.must(err)
	c.token = token.String()
	access := auth.NewAccess(s)
	authenticator := auth.First(auth.NewCertificates(c.keys.CAPool(), c.clock.Now), auth.NewStaticTokens(map[string]auth.User{c.secret: auth.Joiner()}))
	steps, err := admit.Steps(admit.Config{ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}, Encode: encode.ToStore, Authorizer: access, Kind: kinds.Builtin().ByKind, Restrict: access.Restrict, CheckEscalation: access.CheckEscalation})
	c.must(err)
	server, err := apiserver.New(apiserver.Config{Store: s, Kinds: table, Scheme: kinds.NewScheme(), Authenticator: authenticator, Authorizer: access, Admission: steps})
	c.must(err)
	c.api = server.Local(auth.User{Name: "admin", Groups: []string{auth.GroupMasters}})
	for _, name := range []string{"default", v1.NamespaceNodeLease} {
		_, err := c.api.Create(t.Context(), client.Ref{Table: "namespaces"}, "", &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		c.must(err)
	}
	door, err := join.NewDoor(join.DoorConfig{
		Authenticate: func(r *http.Request) (string, []string, bool, error) {
			u, ok, err := authenticator.Authenticate(r)
			return u.Name, u.Groups, ok, err
		},
		Sign: c.keys.SignNode, Authority: c.keys.CA(), API: c.api, Names: []string{"server"},
		Ranges: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/24")}, Now: c.clock.Now, Log: slog.New(slog.DiscardHandler),
		Cluster: join.Cluster{Pods: netip.MustParsePrefix("10.244.0.0/16"), Services: netip.MustParsePrefix("10.96.0.0/16"),
			DNS: netip.MustParseAddr("10.96.0.10"), Domain: "cluster.local"},
	})
	c.must(err)
	c.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/proa/") {
			door.ServeHTTP(w, r)
			return
		}
		server.Handler().ServeHTTP(w, r)
	}))
	c.http.TLS = c.keys.ServerTLS()
	serving, err := c.keys.Server().GetCertificate(nil)
	c.must(err)
	c.http.TLS.Certificates = []tls.Certificate{*serving} // otherwise httptest shows its own
	c.http.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	c.http.EnableHTTP2 = true
	c.http.StartTLS()
	t.Cleanup(func() {
		c.http.CloseClientConnections()
		c.http.Close()
	})
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// machine is a node's directory and how it joins.
func (c *cluster) machine(name string, change ...func(*join.KeysConfig)) *join.Keys {
	c.t.Helper()
	cfg := join.KeysConfig{Dir: filepath.Join(c.t.TempDir(), "node"), Server: c.http.URL, Token: c.token, Node: name, Now: c.clock.Now,
		Log: slog.New(slog.DiscardHandler), Wait: func(context.Context, time.Duration) error { return errors.New("did not succeed at once") }}
	for _, f := range change {
		f(&cfg)
	}
	keys, err := join.NewKeys(cfg)
	c.must(err)
	return keys
}

func (c *cluster) node(name string) *v1.Node {
	c.t.Helper()
	n, ok := client.Get[*v1.Node](c.api.View(), "nodes", "", name)
	if !ok {
		c.t.Fatalf("no node %s", name)
	}
	return n
}

// as is a client with a node's certificates.
func (c *cluster) as(keys *join.Keys) *remote.Remote {
	r, err := remote.New(remote.Config{Server: c.http.URL, Kinds: kinds.Builtin(), TLS: keys.ClientTLS()})
	c.must(err)
	c.t.Cleanup(r.Close)
	return r
}

func (c *cluster) beat(name string) {
	c.t.Helper()
	seconds, at := int32(40), metav1.NewMicroTime(c.clock.Now())
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1.NamespaceNodeLease, Name: name},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &at}}
	_, err := c.api.Update(c.t.Context(), client.RefOf("leases.coordination.k8s.io", lease), "", lease, metav1.UpdateOptions{})
	c.must(err)
}

func TestJoin(t *testing.T) {
	c := newCluster(t)
	a, b := c.machine("alpha"), c.machine("beta")
	for _, k := range []*join.Keys{a, b} {
		c.must(k.Join(t.Context()))
	}
	own, shared := a.Settings()
	if own.PodRange.String() != "10.244.1.0/24" || own.Address.String() != "127.0.0.1" || shared.DNS.String() != "10.96.0.10" || shared.Domain != "cluster.local" {
		t.Errorf("alpha got %+v, %+v", own, shared)
	}
	if got := c.node("alpha").Spec.PodCIDR; got != "10.244.1.0/24" {
		t.Errorf("alpha's pods are %q", got)
	}
	if got, _ := b.Settings(); got.PodRange.String() != "10.244.2.0/24" {
		t.Errorf("beta's pods are %s", got.PodRange)
	}
	api := c.as(a)
	if _, err := api.GetLive(t.Context(), client.Ref{Table: "nodes", Name: "alpha"}); err != nil {
		t.Errorf("alpha reads its node: %v", err)
	}
	if _, err := api.GetLive(t.Context(), client.Ref{Table: "nodes", Name: "beta"}); !apierrors.IsForbidden(err) {
		t.Errorf("alpha reads another node: %v", err)
	}
	// The certificates differ in what they are for.
	serving, err := a.ServingTLS().GetCertificate(nil)
	c.must(err)
	if got := serving.Leaf.IPAddresses; len(got) != 1 || !got[0].IsLoopback() {
		t.Errorf("alpha serves as %v", got)
	}
}

func TestJoinedNodeNeedsNoServer(t *testing.T) {
	c := newCluster(t)
	var dir string
	first := c.machine("alpha", func(k *join.KeysConfig) { dir = k.Dir })
	c.must(first.Join(t.Context()))
	again := c.machine("alpha", func(k *join.KeysConfig) { k.Dir, k.Token, k.Server = dir, "", "https://127.0.0.1:1" })
	c.must(again.Join(t.Context()))
	if own, _ := again.Settings(); own.PodRange.String() != "10.244.1.0/24" {
		t.Errorf("after a restart the range is %s", own.PodRange)
	}
	other := c.machine("gamma", func(k *join.KeysConfig) { k.Dir = dir })
	if err := other.Join(t.Context()); err == nil || !strings.Contains(err.Error(), `this machine has joined as node "alpha", not "gamma"`) {
		t.Errorf("another name for a machine that has joined: %v", err)
	}
	entries, err := os.ReadDir(dir)
	c.must(err)
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
}

func TestLostAnswer(t *testing.T) {
	c := newCluster(t)
	var dir string
	c.must(c.machine("alpha", func(k *join.KeysConfig) { dir = k.Dir }).Join(t.Context()))
	// The server has let the node in, but the node has only its key, as before the answer came.
	data, err := os.ReadFile(filepath.Join(dir, "client.pem"))
	c.must(err)
	c.must(os.WriteFile(filepath.Join(dir, "client.key"), data, 0o600))
	for _, name := range []string{"client.pem", "serving.pem", "node.json", "ca.crt"} {
		c.must(os.Remove(filepath.Join(dir, name)))
	}
	c.beat("alpha")
	again := c.machine("alpha", func(k *join.KeysConfig) { k.Dir = dir })
	c.must(again.Join(t.Context()))
	if own, _ := again.Settings(); own.PodRange.String() != "10.244.1.0/24" {
		t.Errorf("the range is %s", own.PodRange)
	}
}

func TestNameIsTaken(t *testing.T) {
	c := newCluster(t)
	old := c.machine("alpha")
	c.must(old.Join(t.Context()))
	taken := `node "alpha" is taken by another machine that is alive`
	if err := c.machine("alpha").Join(t.Context()); err == nil || !strings.Contains(err.Error(), taken) {
		t.Fatalf("a second machine joins at once: %v", err)
	}
	c.clock.advance(10 * time.Minute)
	c.beat("alpha")
	c.clock.advance(30 * time.Second)
	if err := c.machine("alpha").Join(t.Context()); err == nil || !strings.Contains(err.Error(), taken) {
		t.Fatalf("a second machine joins while the first is alive: %v", err)
	}
	c.clock.advance(11 * time.Second)
	second := c.machine("alpha")
	c.must(second.Join(t.Context()))
	if own, _ := second.Settings(); own.PodRange.String() != "10.244.1.0/24" {
		t.Errorf("the successor's range is %s", own.PodRange)
	}
	if err := old.Renew(t.Context()); err == nil || !strings.Contains(err.Error(), `another machine has joined as node "alpha" since`) {
		t.Errorf("the first machine renews: %v", err)
	}
	c.must(second.Renew(t.Context()))
	c.must(second.Renew(t.Context())) // with the key it got by the last renewal
}

func TestRefusals(t *testing.T) {
	c := newCluster(t)
	other, err := join.NewToken(newCluster(t).keys.CA(), c.secret)
	c.must(err)
	for _, test := range []struct {
		name   string
		node   string
		change func(*join.KeysConfig)
		want   string
	}{
		{"wrong secret", "alpha", func(k *join.KeysConfig) { k.Token += "0" }, "the token is wrong: proa token, run on the server, prints the right one"},
		{"another cluster", "alpha", func(k *join.KeysConfig) { k.Token = other.String() }, "the token is of another cluster: the server's authority is "},
		{"half a token", "alpha", func(k *join.KeysConfig) { k.Token = k.Token[10:] }, "the token is not one: proa token, run on the server, prints it whole"},
		{"no token", "alpha", func(k *join.KeysConfig) { k.Token = "" }, "give --token, which proa token prints on the server"},
		{"the server's name", "server", func(*join.KeysConfig) {}, `node name "server" is the server's own`},
		{"the API's name", "kubernetes.default.svc", func(*join.KeysConfig) {}, `is the server's own`},
		{"no name of a node", "not_a_name", func(*join.KeysConfig) {}, `node name "not_a_name": a lowercase RFC 1123 subdomain`},
		{"no server", "alpha", func(k *join.KeysConfig) { k.Server = "https://127.0.0.1:1" }, "did not succeed at once"},
		{"wrong address", "alpha", func(k *join.KeysConfig) { k.Address = netip.MustParseAddr("192.0.2.1") }, "did not succeed at once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := c.machine(test.node, test.change).Join(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), c.secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
	for n := range client.List[*v1.Node](c.api.View(), "nodes", "") {
		t.Errorf("node %s was written", n.Name)
	}
}

// TestSecretIsNotSentToStrangers: a server of another authority is given nothing.
func TestSecretIsNotSentToStrangers(t *testing.T) {
	c := newCluster(t)
	var told []string
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = append(told, r.Header.Get("Authorization"))
		w.Write(c.keys.CA()) // it knows the right authority, which is public
	}))
	stranger.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	defer stranger.Close()
	err := c.machine("alpha", func(k *join.KeysConfig) { k.Server = stranger.URL }).Join(t.Context())
	if err == nil || !strings.Contains(err.Error(), "shows a certificate that its cluster's authority did not sign") {
		t.Errorf("join at a stranger: %v", err)
	}
	if len(told) != 1 || told[0] != "" {
		t.Errorf("the stranger was told %q", told)
	}
}

func TestNodeMayNotBeAnother(t *testing.T) {
	c := newCluster(t)
	var dir string
	a := c.machine("alpha", func(k *join.KeysConfig) { dir = k.Dir })
	c.must(a.Join(t.Context()))
	data, err := os.ReadFile(filepath.Join(dir, "node.json"))
	c.must(err)
	c.must(os.WriteFile(filepath.Join(dir, "node.json"), []byte(strings.ReplaceAll(string(data), "alpha", "beta")), 0o600))
	thief := c.machine("beta", func(k *join.KeysConfig) { k.Dir = dir })
	c.must(thief.Join(t.Context())) // it believes to be beta
	if err := thief.Renew(t.Context()); err == nil || !strings.Contains(err.Error(), `user "system:node:alpha" may not be node "beta"`) {
		t.Errorf("alpha asks for beta's certificates: %v", err)
	}
}

func TestRenewal(t *testing.T) {
	c := newCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	renewed := 0
	keys := c.machine("alpha", func(k *join.KeysConfig) {
		k.Wait = func(ctx context.Context, d time.Duration) error {
			c.clock.advance(d)
			return ctx.Err()
		}
		k.Renewed = func() {
			if renewed++; renewed == 2 {
				cancel()
			}
		}
	})
	c.must(keys.Join(ctx))
	clientTLS := keys.ClientTLS()
	before, err := clientTLS.GetClientCertificate(nil)
	c.must(err)
	c.must(keys.Run(ctx))
	after, err := clientTLS.GetClientCertificate(nil)
	c.must(err)
	if renewed != 2 || !after.Leaf.NotAfter.After(before.Leaf.NotAfter) || after.Leaf.PublicKey == before.Leaf.PublicKey {
		t.Errorf("after %d renewals the certificate lasts until %v, first %v", renewed, after.Leaf.NotAfter, before.Leaf.NotAfter)
	}
	if early := before.Leaf.NotAfter.Sub(before.Leaf.NotBefore) / 3; after.Leaf.NotBefore.After(before.Leaf.NotAfter.Add(early)) {
		t.Errorf("the second renewal came at %v", after.Leaf.NotBefore)
	}
	if got := c.node("alpha").Spec.PodCIDR; got != "10.244.1.0/24" {
		t.Errorf("the range became %s", got)
	}
}

func TestSecretIsKept(t *testing.T) {
	dir := t.TempDir()
	first, err := join.OpenSecret(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := join.OpenSecret(dir)
	if err != nil || first != second || len(first) != 64 {
		t.Errorf("secrets %q, %q: %v", first, second, err)
	}
	if info, err := os.Stat(filepath.Join(dir, join.SecretFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(dir, join.SecretFile), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := join.OpenSecret(dir); err == nil {
		t.Error("an empty secret was accepted")
	}
}
