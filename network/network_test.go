package network_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/network"
	"proa/network/ruleset"
)

// recorder takes rules as the kernel would. Fail is returned for as many calls as it holds errors.
type recorder struct {
	applied chan string
	fail    chan error
}

func (r *recorder) Apply(rules *ruleset.Ruleset) error {
	select {
	case err := <-r.fail:
		return err
	default:
	}
	r.applied <- rules.String()
	return nil
}

// await takes applied rules until they hold the text, or the opposite with absent.
func (r *recorder) await(t *testing.T, text string, absent bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case rules := <-r.applied:
			if strings.Contains(rules, text) != absent {
				return
			}
		case <-limit:
			t.Fatalf("rules with %q (absent: %v) were never applied", text, absent)
		}
	}
}

func TestRulesFollowTheAPI(t *testing.T) {
	api := fake.New(fake.Config{Kinds: kinds.Builtin()})
	user := api.As("user")
	kernel := &recorder{applied: make(chan string, 100), fail: make(chan error, 1)}
	retries := make(chan time.Time, 10)
	sync := network.New(network.Config{
		Client: api.As("node"), Rules: kernel, Node: "a",
		Pods: netip.MustParsePrefix("10.244.0.0/16"), Services: netip.MustParsePrefix("10.96.0.0/16"),
		Skip:  func(s *v1.Service) bool { return s.Name == "dns" },
		After: func(time.Duration) <-chan time.Time { return retries },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- sync.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	<-sync.Ready()
	create := func(table string, obj client.Object) {
		t.Helper()
		if _, err := user.Create(ctx, client.Ref{Table: table}, "", obj, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	service := func(name, ip string) *v1.Service {
		s := &v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		s.Spec.ClusterIP, s.Spec.Ports = ip, []v1.ServicePort{{Port: 80, Protocol: v1.ProtocolTCP}}
		return s
	}
	create("services", service("web", "10.96.0.7"))
	kernel.await(t, "10.96.0.7:80/tcp closed", false)

	kernel.fail <- errors.New("no buffer space") // the kernel refuses once
	port := int32(8080)
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}}}
	slice.AddressType, slice.Endpoints = discoveryv1.AddressTypeIPv4, []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.9"}}}
	slice.Ports = []discoveryv1.EndpointPort{{Port: &port}}
	create("endpointslices.discovery.k8s.io", slice)
	retries <- time.Time{}
	kernel.await(t, "shop/web:80 = [10.244.0.9:8080]", false)

	api.BreakWatches()
	for range 3 {
		retries <- time.Time{}
	}
	create("services", service("dns", "10.96.0.10"))
	create("services", service("late", "10.96.0.8"))
	kernel.await(t, "10.96.0.8:80/tcp closed", false)
	if err := user.Delete(ctx, client.Ref{Table: "services", Namespace: "shop", Name: "web"}, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	kernel.await(t, "10.96.0.7", true)
}
