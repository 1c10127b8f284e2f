package proxy_test

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/network/proxy"
)

// TestRules reads YAML objects, separated by lines of dashes, and prints the rules of node "here" in zone "east".
func TestRules(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			in := proxy.Input{Node: "here", Zone: "east", Pods: netip.MustParsePrefix("10.244.0.0/16"), Services: netip.MustParsePrefix("10.96.0.0/16")}
			var services []*v1.Service
			var endpointSlices []*discoveryv1.EndpointSlice
			var pods []*v1.Pod
			for _, doc := range strings.Split(d.Input, "---\n") {
				var meta metav1.TypeMeta
				decode(t, doc, &meta)
				switch meta.Kind {
				case "Service":
					services = append(services, decode(t, doc, &v1.Service{}))
				case "EndpointSlice":
					endpointSlices = append(endpointSlices, decode(t, doc, &discoveryv1.EndpointSlice{}))
				case "Pod":
					pods = append(pods, decode(t, doc, &v1.Pod{}))
				default:
					t.Fatalf("unknown kind %q", meta.Kind)
				}
			}
			in.ServiceList, in.Slices, in.PodList = values(services), values(endpointSlices), values(pods)
			return proxy.Rules(in).String()
		})
	})
}

func values[T any](s []T) iter.Seq[T] { return slices.Values(s) }

func decode[T any](t *testing.T, doc string, into T) T {
	t.Helper()
	if err := yaml.Unmarshal([]byte(doc), into); err != nil {
		t.Fatalf("%v in:\n%s", err, doc)
	}
	return into
}
