package kinds_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"proa/kinds"
)

// TestLegacy plays testdata/legacy: objects of old versions in as YAML, what is stored out; "shown" prints what was stored
// last under the version that it came in.
func TestLegacy(t *testing.T) {
	table := kinds.Builtin()
	datadriven.Walk(t, "testdata/legacy", func(t *testing.T, path string) {
		var stored object
		var gvk schema.GroupVersionKind
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "stored" {
				var kind metav1.TypeMeta
				if err := yaml.Unmarshal([]byte(d.Input), &kind); err != nil {
					t.Fatal(err)
				}
				gvk = schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
			}
			r := table.ByKind(gvk)
			if r == nil {
				return "no such kind\n"
			}
			for i := range r.Served {
				s := &r.Served[i]
				if s.Group != gvk.Group || s.Version != gvk.Version {
					continue
				}
				if d.Cmd == "shown" {
					shown := must(s.FromStored(stored))
					shown.GetObjectKind().SetGroupVersionKind(gvk)
					return text(t, shown)
				}
				obj := s.New()
				if err := yaml.UnmarshalStrict([]byte(d.Input), obj); err != nil {
					return err.Error() + "\n"
				}
				stored = must(s.ToStored(obj))
				if s.DefaultStored != nil {
					s.DefaultStored(stored)
				}
				stored.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
				return "# " + s.Deprecated + "\n" + text(t, stored)
			}
			return "not an old version\n"
		})
	})
}
