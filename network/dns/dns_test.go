package dns_test

import (
	"context"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	mdns "github.com/miekg/dns"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/client"
	"proa/network/dns"
)

// view holds objects by table, as the YAML of a test lists them.
type view map[string][]client.Object

func (v view) Revision() int64 { return 1 }

func (v view) Get(ref client.Ref) client.Object {
	for _, o := range v[ref.Table] {
		if o.GetNamespace() == ref.Namespace && o.GetName() == ref.Name {
			return o
		}
	}
	return nil
}

func (v view) List(table, namespace string) iter.Seq[client.Object] {
	return func(yield func(client.Object) bool) {
		for _, o := range v[table] {
			if (namespace == "" || o.GetNamespace() == namespace) && !yield(o) {
				return
			}
		}
	}
}

func parse(t *testing.T, input string) view {
	t.Helper()
	v := view{}
	for _, doc := range strings.Split(input, "---\n") {
		var meta metav1.TypeMeta
		var obj client.Object
		var table string
		if err := yaml.Unmarshal([]byte(doc), &meta); err != nil {
			t.Fatal(err)
		}
		switch meta.Kind {
		case "Namespace":
			obj, table = &v1.Namespace{}, "namespaces"
		case "Service":
			obj, table = &v1.Service{}, "services"
		case "EndpointSlice":
			obj, table = &discoveryv1.EndpointSlice{}, "endpointslices.discovery.k8s.io"
		default:
			t.Fatalf("unknown kind %q", meta.Kind)
		}
		if err := yaml.Unmarshal([]byte(doc), obj); err != nil {
			t.Fatal(err)
		}
		v[table] = append(v[table], obj)
	}
	return v
}

// TestResolve: "objects" sets the view, "ask" prints the answer to each "TYPE name" line.
func TestResolve(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var v view
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "objects" {
				v = parse(t, d.Input)
				return ""
			}
			var out strings.Builder
			for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
				kind, name, _ := strings.Cut(line, " ")
				q := mdns.Question{Name: mdns.Fqdn(name), Qtype: mdns.StringToType[kind], Qclass: mdns.ClassINET}
				a := dns.Resolve(v, "cluster.local.", q)
				fmt.Fprintf(&out, "%s: %s\n", line, describe(a))
			}
			return out.String()
		})
	})
}

func describe(a dns.Answer) string {
	if !a.Ours {
		return "not ours"
	}
	var parts []string
	for _, rr := range a.Records {
		parts = append(parts, strings.Join(strings.Fields(rr.String())[3:], " "))
	}
	for _, rr := range a.Extra {
		parts = append(parts, "with "+strings.Join(strings.Fields(rr.String()), " "))
	}
	if len(parts) == 0 {
		parts = []string{"no records"}
	}
	return mdns.RcodeToString[a.Rcode] + " " + strings.Join(parts, "; ")
}

// start runs a server on loopback and returns its address.
func start(t *testing.T, v view, upstream ...string) string {
	t.Helper()
	stream, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := stream.Addr().String()
	packet, err := net.ListenPacket("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := dns.New(dns.Config{
		View: func() client.View { return v }, Zone: "cluster.local", Listen: []string{addr}, Upstream: upstream,
		ListenPacket: func(string, string) (net.PacketConn, error) { return packet, nil },
		ListenStream: func(string, string) (net.Listener, error) { return stream, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return addr
}

func ask(t *testing.T, addr, network, name string, kind uint16) *mdns.Msg {
	t.Helper()
	answer, _, err := (&mdns.Client{Net: network}).Exchange(new(mdns.Msg).SetQuestion(name, kind), addr)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestServer(t *testing.T) {
	outside := start(t, parse(t, "kind: Service\nmetadata: {name: api, namespace: outside}\nspec: {clusterIP: 192.0.2.7}\n"))
	many := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	many.Name, many.Namespace, many.Labels = "many-1", "shop", map[string]string{discoveryv1.LabelServiceName: "many"}
	for i := range 60 {
		many.Endpoints = append(many.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.244.0.%d", i+1)}})
	}
	v := parse(t, "kind: Service\nmetadata: {name: many, namespace: shop}\nspec: {clusterIP: None}\n---\n"+
		"kind: Service\nmetadata: {name: alias, namespace: shop}\nspec: {type: ExternalName, externalName: many.shop.svc.cluster.local}\n")
	v["endpointslices.discovery.k8s.io"] = []client.Object{many}
	addr := start(t, v, "127.0.0.1:1", outside)

	if got := ask(t, addr, "udp", "many.shop.svc.cluster.local.", mdns.TypeA); !got.Truncated {
		t.Errorf("a long answer over UDP is cut and says so: %v", got)
	}
	if got := ask(t, addr, "tcp", "many.shop.svc.cluster.local.", mdns.TypeA); len(got.Answer) != 60 {
		t.Errorf("over TCP it is whole: %d records", len(got.Answer))
	}
	if got := ask(t, addr, "tcp", "alias.shop.svc.cluster.local.", mdns.TypeA); len(got.Answer) != 61 {
		t.Errorf("an alias brings its addresses: %d records", len(got.Answer))
	}
	if got := ask(t, addr, "udp", "none.shop.svc.cluster.local.", mdns.TypeA); got.Rcode != mdns.RcodeNameError || len(got.Ns) != 1 {
		t.Errorf("a name that is not there: %v", got)
	}
	// The first resolver is not there, so the second is asked, and its answer passed on as it is.
	if got := ask(t, addr, "udp", "elsewhere.example.", mdns.TypeA); got.Rcode != mdns.RcodeNameError {
		t.Errorf("forwarded: %v", got)
	}
	alone := start(t, view{}, "127.0.0.1:1")
	if got := ask(t, alone, "udp", "elsewhere.example.", mdns.TypeA); got.Rcode != mdns.RcodeServerFailure {
		t.Errorf("no resolver answers: %v", got)
	}
	if !slices.Contains([]int{mdns.RcodeNotImplemented}, exchangeRaw(t, alone).Rcode) {
		t.Error("a message that is no question is refused")
	}
}

func exchangeRaw(t *testing.T, addr string) *mdns.Msg {
	t.Helper()
	m := new(mdns.Msg)
	m.SetNotify("cluster.local.")
	answer, _, err := new(mdns.Client).Exchange(m, addr)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
