package kinds_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"proa/kinds"
	"proa/kinds/core"
	"proa/kinds/meta"
	kindsresource "proa/kinds/resource"
)

// TestRules plays testdata/rules: objects in as YAML; defaults, errors, warnings and columns out. Commands:
//
//	create          the YAML is a new object; prints what is stored, which becomes the current object
//	try             the YAML is merged over the current object, which is created anew; nothing is stored
//	update [sub=X]  the YAML is merged over the current object, which is updated; prints what is stored
//	columns         the cells of the current object, as kubectl get -o wide shows them
//	fields          the selectable fields of the current object
//	families cluster=(IPv4,IPv6)  a service's families after the YAML was merged over it, new or (update) changed
//	show as=GROUP   the current object under another version
//
// With as=GROUP, create, try and update follow the rules of another version that serves the kind.
func TestRules(t *testing.T) {
	datadriven.Walk(t, "testdata/rules", func(t *testing.T, path string) {
		p := &player{table: kinds.Builtin()}
		datadriven.RunTest(t, path, p.play)
	})
}

type player struct {
	table   *kinds.Table
	row     *row
	current object
}

func (p *player) play(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "create":
		obj := p.decode(t, []byte(d.Input))
		return p.create(obj, p.served(t, d), true)
	case "try":
		return p.create(p.merged(t, p.current, d.Input), p.served(t, d), false)
	case "update":
		return p.update(t, d)
	case "columns":
		var b strings.Builder
		for i, cell := range kindsresource.Cells(p.row.Row(p.current), now) {
			fmt.Fprintf(&b, "%s: %v\n", strings.ToUpper(p.row.Columns[i].Name), cell)
		}
		return b.String()
	case "families":
		return p.families(t, d)
	case "fields":
		return text(t, p.row.Fields(p.current))
	case "show":
		return text(t, must(p.served(t, d).FromStored(p.current)))
	}
	t.Fatalf("%s: no command %s", d.Pos, d.Cmd)
	return ""
}

func (p *player) served(t *testing.T, d *datadriven.TestData) *kindsresource.Served {
	var group string
	d.MaybeScanArgs(t, "as", &group)
	for i := range p.row.Served {
		if p.row.Served[i].Group == group {
			return &p.row.Served[i]
		}
	}
	return nil
}

// decode makes an object of its kind, strictly: a script with a typo must not pass.
func (p *player) decode(t *testing.T, data []byte) object {
	t.Helper()
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(data, &kind); err != nil {
		t.Fatal(err)
	}
	p.row = p.table.ByKind(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
	if p.row == nil {
		t.Fatalf("no row for %s %s", kind.APIVersion, kind.Kind)
	}
	obj := p.row.New()
	if err := yaml.UnmarshalStrict(data, obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

func (p *player) create(obj object, served *kindsresource.Served, store bool) string {
	applyDefault(p.row, obj)
	if p.row.PrepareCreate != nil {
		p.row.PrepareCreate(obj)
	}
	validate := p.row.Validate
	if served != nil {
		validate = served.Validate
	}
	return p.outcome(obj, nil, p.row.Warnings, meta.ValidateCreate(p.row, obj, validate), store)
}

func (p *player) update(t *testing.T, d *datadriven.TestData) string {
	var sub string
	d.MaybeScanArgs(t, "sub", &sub)
	old := p.current
	obj := p.merged(t, old, d.Input)
	applyDefault(p.row, obj)
	prepare, validate, warnings := p.row.PrepareUpdate, p.row.ValidateUpdate, p.row.Warnings
	door := p.door(sub)
	if door != nil {
		prepare, validate, warnings = door.PrepareUpdate, door.ValidateUpdate, door.Warnings
	}
	if s := p.served(t, d); s != nil {
		validate = s.ValidateUpdate
	}
	if prepare != nil {
		prepare(obj, old)
	}
	errs := meta.ValidateUpdate(p.row, obj, old, door)
	if validate != nil {
		errs = append(errs, validate(obj, old)...)
	}
	return p.outcome(obj, old, warnings, errs, true)
}

// door finds the subresource of a name; nil is the resource itself.
func (p *player) door(name string) *kindsresource.Subresource {
	if name == "status" {
		return p.row.Status
	}
	for i := range p.row.Subresources {
		if p.row.Subresources[i].Name == name {
			return &p.row.Subresources[i]
		}
	}
	return nil
}

func (p *player) families(t *testing.T, d *datadriven.TestData) string {
	var cluster []corev1.IPFamily
	for _, family := range d.CmdArgs[0].Vals {
		cluster = append(cluster, corev1.IPFamily(family))
	}
	service := p.merged(t, p.current, d.Input).(*corev1.Service)
	var old *corev1.Service
	if d.HasArg("update") {
		old = p.current.(*corev1.Service)
	}
	core.KeepAllocated(service, old)
	if errs := core.DefaultFamilies(service, old, cluster...); len(errs) > 0 {
		return fmt.Sprintf("error: %v\n", errs.ToAggregate())
	}
	policy := ""
	if service.Spec.IPFamilyPolicy != nil {
		policy = string(*service.Spec.IPFamilyPolicy)
	}
	return fmt.Sprintf("%s %v addresses %v\n", policy, service.Spec.IPFamilies, service.Spec.ClusterIPs)
}

// outcome prints what a user would see, and keeps the object if nothing is wrong with it.
func (p *player) outcome(obj, old object, warnings func(obj, old object) []string, errs field.ErrorList, store bool) string {
	var b strings.Builder
	if warnings != nil {
		for _, warning := range warnings(obj, old) {
			fmt.Fprintf(&b, "warning: %s\n", warning)
		}
	}
	for _, err := range errs {
		fmt.Fprintf(&b, "error: %s\n", err)
	}
	if len(errs) > 0 {
		return b.String()
	}
	if !store {
		return b.String() + "ok\n"
	}
	b.WriteString(must(marshal(obj)))
	obj.SetCreationTimestamp(metav1.NewTime(now.Add(-5 * time.Minute)))
	obj.SetResourceVersion("1")
	p.current = obj
	return b.String()
}

// merged lays a YAML merge patch over a copy of the object; null removes.
func (p *player) merged(t *testing.T, obj object, patch string) object {
	t.Helper()
	var base, over map[string]any
	if err := json.Unmarshal(must(json.Marshal(obj)), &base); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(patch), &over); err != nil {
		t.Fatal(err)
	}
	return p.decode(t, must(json.Marshal(merge(base, over))))
}

func merge(base, over map[string]any) map[string]any {
	if base == nil {
		base = map[string]any{}
	}
	for key, value := range over {
		below, isMap := value.(map[string]any)
		switch {
		case value == nil:
			delete(base, key)
		case isMap:
			under, _ := base[key].(map[string]any)
			base[key] = merge(under, below)
		default:
			base[key] = value
		}
	}
	return base
}

func text(t *testing.T, v any) string {
	t.Helper()
	s, err := marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// marshal prints YAML without what says nothing.
func marshal(v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", err
	}
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		for _, name := range []string{"creationTimestamp", "resourceVersion"} {
			delete(metadata, name)
		}
	}
	for key, value := range fields {
		if below, ok := value.(map[string]any); ok && len(below) == 0 {
			delete(fields, key)
		}
	}
	out, err := yaml.Marshal(fields)
	return string(out), err
}
