package routes

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name, address, pods string) *v1.Node {
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1.NodeSpec{PodCIDR: pods},
		Status: v1.NodeStatus{Addresses: []v1.NodeAddress{{Type: v1.NodeHostName, Address: name}, {Type: v1.NodeInternalIP, Address: address}}},
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []*v1.Node
		want  string
	}{
		{"alone", []*v1.Node{node("self", "10.0.0.1", "10.244.0.0/24")}, "[]"},
		{"in order", []*v1.Node{node("c", "10.0.0.3", "10.244.2.0/24"), node("self", "10.0.0.1", "10.244.0.0/24"), node("b", "10.0.0.2", "10.244.1.0/24")},
			"[{10.0.0.2 10.244.1.0/24} {10.0.0.3 10.244.2.0/24}]"},
		{"not known yet", []*v1.Node{node("b", "10.0.0.2", ""), node("c", "", "10.244.2.0/24")}, "[]"},
		{"not the cluster's", []*v1.Node{node("b", "10.0.0.2", "10.96.0.0/24"), node("c", "10.0.0.3", "0.0.0.0/0"), node("d", "10.0.0.4", "10.0.0.0/8")}, "[]"},
		{"another's range", []*v1.Node{node("self", "10.0.0.1", "10.244.0.0/24"), node("b", "10.0.0.2", "10.244.0.0/25"),
			node("c", "10.0.0.3", "10.244.1.0/24"), node("d", "10.0.0.4", "10.244.1.128/25")}, "[{10.0.0.3 10.244.1.0/24}]"},
		{"other families", []*v1.Node{node("b", "fd00::2", "10.244.1.0/24"), node("c", "10.0.0.3", "fd00:1::/64")}, "[]"},
	} {
		if got := fmt.Sprint(plan("self", netip.MustParsePrefix("10.244.0.0/16"), slices.Values(c.nodes))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
