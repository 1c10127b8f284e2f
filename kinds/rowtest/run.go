// Package rowtest reads scripts against rows of the table of kinds: manifests in, defaults, errors and columns out.
//
// It decides nothing; tests of the kinds call it. A script is a datadriven file with these commands, each followed by a
// manifest, or by two with a line of "---" between them where a stored object is needed (stored first, then written):
//
//	create            what is wrong with a new object, or ok
//	defaults          the stored form of a new object; prune=path,... leaves fields out
//	update            what is wrong with a changed object, and the generation it gets; sub=NAME goes through a subresource
//	warnings          what the user is told beside success
//	columns           the cells of kubectl get -o wide, at 2026-01-02T03:04:05Z
//	fields            the selectable fields
//	delete            whether deletion waits, and how long; grace=SECONDS is the client's wish
//	scale             what the scale subresource reads; set=N writes it first
package rowtest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// now is when all columns are looked at.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Run runs every script below dir against rows.
func Run(t *testing.T, dir string, rows ...*resource.Resource) {
	byKind := map[string]*resource.Resource{}
	for _, row := range rows {
		byKind[row.Kind] = row
	}
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s := script{t, d, byKind}
			return s.run()
		})
	})
}

type script struct {
	*testing.T
	d    *datadriven.TestData
	rows map[string]*resource.Resource
}

func (s script) run() string {
	switch s.d.Cmd {
	case "create":
		row, obj := s.created(s.d.Input)
		return render(meta.ValidateCreate(row, obj, row.Validate))
	case "defaults":
		_, obj := s.created(s.d.Input)
		return s.pruned(obj)
	case "update":
		return s.update()
	case "warnings":
		row, obj := s.created(s.d.Input)
		return lines(row.Warnings(obj, nil))
	case "columns":
		return s.columns()
	case "fields":
		row, obj := s.decode(s.d.Input)
		return strings.ReplaceAll(row.Fields(obj).String(), ",", "\n") + "\n"
	case "delete":
		return s.delete()
	case "scale":
		return s.scale()
	}
	s.Fatalf("%s: no such command: %s", s.d.Pos, s.d.Cmd)
	return ""
}

// decode refuses fields that the kind does not have: a typing error in a script must not pass.
func (s script) decode(manifest string) (*resource.Resource, resource.Object) {
	s.Helper()
	var head metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(manifest), &head); err != nil {
		s.Fatalf("%s: %v", s.d.Pos, err)
	}
	row := s.rows[head.Kind]
	if row == nil {
		s.Fatalf("%s: no row of kind %q", s.d.Pos, head.Kind)
	}
	obj := row.New()
	if err := yaml.UnmarshalStrict([]byte(manifest), obj); err != nil {
		s.Fatalf("%s: %v", s.d.Pos, err)
	}
	if obj.GetNamespace() == "" && row.Namespaced {
		obj.SetNamespace("default")
	}
	if row.Default != nil {
		row.Default(obj)
	}
	return row, obj
}

func (s script) created(manifest string) (*resource.Resource, resource.Object) {
	row, obj := s.decode(manifest)
	if row.PrepareCreate != nil {
		row.PrepareCreate(obj)
	}
	return row, obj
}

func (s script) update() string {
	stored, written, ok := strings.Cut(s.d.Input, "\n---\n")
	if !ok {
		s.Fatalf("%s: update wants two manifests", s.d.Pos)
	}
	row, old := s.decode(stored)
	if old.GetGeneration() == 0 {
		old.SetGeneration(1)
	}
	_, obj := s.decode(written)
	for _, o := range []resource.Object{old, obj} {
		o.SetResourceVersion("1")
		o.SetUID("u")
	}
	prepare, validate := row.PrepareUpdate, row.ValidateUpdate
	var door *resource.Subresource
	if name := s.arg("sub"); name != "" {
		sub := s.subresource(row, name)
		door, prepare, validate = &sub, sub.PrepareUpdate, sub.ValidateUpdate
	}
	if prepare != nil {
		prepare(obj, old)
	}
	errs := meta.ValidateUpdate(row, obj, old, door)
	if validate != nil {
		errs = append(errs, validate(obj, old)...)
	}
	if s.d.HasArg("print") {
		return s.pruned(obj)
	}
	if len(errs) == 0 {
		return fmt.Sprintf("ok, generation %d\n", obj.GetGeneration())
	}
	return render(errs)
}

func (s script) subresource(row *resource.Resource, name string) resource.Subresource {
	if name == "status" && row.Status != nil {
		return *row.Status
	}
	for _, sub := range row.Subresources {
		if sub.Name == name {
			return sub
		}
	}
	s.Fatalf("%s: %s has no subresource %s", s.d.Pos, row.Name, name)
	return resource.Subresource{}
}

func (s script) columns() string {
	row, obj := s.decode(s.d.Input)
	var b strings.Builder
	for i, cell := range resource.Cells(row.Row(obj), now) {
		fmt.Fprintf(&b, "%s: %v\n", strings.ToUpper(row.Columns[i].Name), cell)
	}
	return b.String()
}

func (s script) delete() string {
	row, obj := s.decode(s.d.Input)
	opts := &metav1.DeleteOptions{}
	if grace := s.arg("grace"); grace != "" {
		seconds, err := strconv.ParseInt(grace, 10, 64)
		if err != nil {
			s.Fatalf("%s: %v", s.d.Pos, err)
		}
		opts.GracePeriodSeconds = &seconds
	}
	row.GracePeriod(obj, opts)
	return fmt.Sprintf("wait %v, %d s\n", *opts.GracePeriodSeconds > 0, *opts.GracePeriodSeconds)
}

func (s script) scale() string {
	row, obj := s.decode(s.d.Input)
	if set := s.arg("set"); set != "" {
		n, err := strconv.ParseInt(set, 10, 32)
		if err != nil {
			s.Fatalf("%s: %v", s.d.Pos, err)
		}
		row.Scale.Set(obj, int32(n))
	}
	replicas, status, selector := row.Scale.Get(obj)
	return fmt.Sprintf("replicas %d, status %d, selector %q\n", replicas, status, selector)
}

func (s script) arg(name string) string {
	value := ""
	s.d.MaybeScanArgs(s.T, name, &value)
	return value
}

// pruned prints an object as YAML, without the fields that prune names and without what no script is about.
func (s script) pruned(obj resource.Object) string {
	data, err := json.Marshal(obj)
	if err != nil {
		s.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		s.Fatal(err)
	}
	for _, path := range append(strings.Split(s.arg("prune"), "+"), "metadata.creationTimestamp", "apiVersion", "kind") {
		unstructured.RemoveNestedField(fields, strings.Split(path, ".")...)
	}
	if only := s.arg("only"); only != "" {
		value, _, _ := unstructured.NestedFieldNoCopy(fields, strings.Split(only, ".")...)
		return s.yaml(value)
	}
	return s.yaml(fields)
}

func (s script) yaml(value any) string {
	out, err := yaml.Marshal(value)
	if err != nil {
		s.Fatal(err)
	}
	return string(out)
}

func render(errs field.ErrorList) string {
	var list []string
	for _, err := range errs {
		list = append(list, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  "))
	}
	return lines(list)
}

func lines(list []string) string {
	if len(list) == 0 {
		return "ok\n"
	}
	return strings.Join(list, "\n") + "\n"
}
