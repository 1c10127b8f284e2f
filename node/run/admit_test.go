package run

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestAdmit plays testdata/admit.txt: "node" sets the node, "runs" adds a pod to it, "admit" asks for one more.
func TestAdmit(t *testing.T) {
	node, others := &v1.Node{}, []*v1.Pod{}
	datadriven.RunTest(t, "testdata/admit.txt", func(t *testing.T, d *datadriven.TestData) string {
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns"}}
		var into any = p
		if d.Cmd == "node" {
			node, others = &v1.Node{}, nil
			into = node
		}
		if err := yaml.UnmarshalStrict([]byte(d.Input), into); err != nil {
			d.Fatalf(t, "%v", err)
		}
		switch d.Cmd {
		case "runs":
			others = append(others, p)
		case "admit":
			if refused := admit(p, node, others); refused != nil {
				return fmt.Sprintf("%s: %s\n", refused.Reason, refused.Message)
			}
			return "admitted\n"
		}
		return ""
	})
}
