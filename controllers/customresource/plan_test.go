package customresource

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestPlan plays testdata: a definition and the others of its group in, its names and conditions out. Commands:
//
//	define           a definition in YAML, which the others know; it is decided about until nothing changes
//	decide [served]  decides about the definition with that name again; with YAML, its spec is replaced before
//	end left=N       what there is to do about a definition that is being deleted and has N objects
//
// Each takes the definition's name, but for define.
func TestPlan(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		all := map[string]*definition{}
		var order []string
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		settle := func(name string, served bool) string {
			s := situation{served: served, now: now}
			for _, other := range order {
				if other != name && all[other].Spec.Group == all[name].Spec.Group {
					s.others = append(s.others, all[other])
				}
			}
			next, changed := decide(all[name], s)
			all[name] = next
			if again, more := decide(next, s); more {
				t.Errorf("%s: decided once more, it is another: %+v", name, again.Status)
			}
			return fmt.Sprintf("changed: %v\n%s", changed, shown(next))
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var in definition
			if err := yaml.UnmarshalStrict([]byte(d.Input), &in); err != nil {
				t.Fatal(err)
			}
			if d.Cmd == "define" {
				if all[in.Name] == nil {
					order = append(order, in.Name)
				}
				all[in.Name] = &in
				return settle(in.Name, false)
			}
			name := d.CmdArgs[0].Key
			if d.Cmd == "decide" {
				if d.Input != "" {
					all[name].Spec, all[name].Annotations = in.Spec, in.Annotations
				}
				return settle(name, d.HasArg("served"))
			}
			left := 0
			d.ScanArgs(t, "left", &left)
			e := decideEnding(all[name], left)
			return fmt.Sprintf("remove: %v, release: %v, %s=%s %s: %s\n", e.remove, e.release, e.condition.Type, e.condition.Status, e.condition.Reason, e.condition.Message)
		})
	})
}

func shown(d *apiextensionsv1.CustomResourceDefinition) string {
	n := d.Status.AcceptedNames
	var b strings.Builder
	fmt.Fprintf(&b, "names: %s\n", strings.Join(strings.Fields(strings.Join(append([]string{n.Plural, n.Singular, n.Kind, n.ListKind}, append(n.ShortNames, n.Categories...)...), " ")), " "))
	for _, c := range d.Status.Conditions {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	return b.String()
}
