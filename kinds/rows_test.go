package kinds_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"proa/kinds"
	kindsresource "proa/kinds/resource"
)

type (
	row    = kindsresource.Resource
	object = kindsresource.Object
)

// now is the time at which all tests of this package look at columns.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func forEachRow(t *testing.T, check func(t *testing.T, r *row)) {
	for _, r := range kinds.Builtin().Rows() {
		t.Run(r.Table(), func(t *testing.T) { check(t, r) })
	}
}

// A row that misses a part would fail far away from here: in a watch, in discovery, in kubectl.
func TestRowsAreComplete(t *testing.T) {
	scheme := kinds.NewScheme()
	forEachRow(t, func(t *testing.T, r *row) {
		if r.Singular != strings.ToLower(r.Kind) && r.Singular != "" || r.Name != strings.ToLower(r.Name) {
			t.Errorf("names %q, %q, %q do not belong together", r.Name, r.Singular, r.Kind)
		}
		if r.New() == r.New() {
			t.Error("New returns one object twice")
		}
		wantKind(t, scheme, r.New(), r.GroupVersionKind())
		if !r.Virtual {
			wantList(t, scheme, r.NewList(), r.New(), r.GroupVersionKind())
		}
		for _, s := range r.Served {
			gvk := schema.GroupVersionKind{Group: s.Group, Version: s.Version, Kind: s.Kind}
			if gvk.Kind == "" {
				gvk.Kind = r.Kind
			}
			wantKind(t, scheme, s.New(), gvk)
			wantList(t, scheme, s.NewList(), s.New(), gvk)
		}
		if r.Fields != nil {
			if keys := slices.Sorted(mapKeys(r.Fields(r.New()))); !slices.Equal(keys, slices.Sorted(slices.Values(r.FieldLabels))) {
				t.Errorf("Fields has keys %v, FieldLabels says %v", keys, r.FieldLabels)
			}
		}
		for _, label := range slices.Concat(served(r)...) {
			if !slices.Contains(r.FieldLabels, label) {
				t.Errorf("a served version selects by %q, which is no key of Fields", label)
			}
		}
		for _, sub := range r.Subresources {
			if !sub.Body.Empty() && !scheme.Recognizes(sub.Body) {
				t.Errorf("the scheme does not know %s, the body of %s", sub.Body, sub.Name)
			}
		}
	})
}

func served(r *row) [][]string {
	var labels [][]string
	for _, s := range r.Served {
		var of []string
		for _, label := range s.FieldLabels {
			of = append(of, label)
		}
		labels = append(labels, of)
	}
	return labels
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func wantKind(t *testing.T, scheme *runtime.Scheme, obj runtime.Object, gvk schema.GroupVersionKind) {
	t.Helper()
	known, _, err := scheme.ObjectKinds(obj)
	if err != nil || !slices.Contains(known, gvk) {
		t.Errorf("the scheme calls %T %v (%v), the row %v", obj, known, err, gvk)
	}
	if copied := obj.DeepCopyObject(); copied == obj || reflect.TypeOf(copied) != reflect.TypeOf(obj) {
		t.Errorf("deep copy of %T is a %T", obj, copied)
	}
}

func wantList(t *testing.T, scheme *runtime.Scheme, list, item runtime.Object, gvk schema.GroupVersionKind) {
	t.Helper()
	gvk.Kind += "List"
	wantKind(t, scheme, list, gvk)
	if err := apimeta.SetList(list, []runtime.Object{item}); err != nil {
		t.Errorf("a %T does not take a %T: %v", list, item, err)
	}
}

// filler makes objects with every field that Go can set, so that rules meet what no example thought of.
func filler(seed int64) *randfill.Filler {
	return randfill.New().RandSource(rand.NewSource(seed)).NilChance(0.3).NumElements(1, 2).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63n(5000), resource.DecimalSI)
		},
		func(i *intstr.IntOrString, c randfill.Continue) { *i = intstr.FromInt32(c.Int31n(70000)) },
		func(m *metav1.Time, c randfill.Continue) { *m = metav1.NewTime(now.Add(-time.Duration(c.Int63n(1e9)))) },
		func(m *metav1.MicroTime, c randfill.Continue) {
			*m = metav1.NewMicroTime(now.Add(-time.Duration(c.Int63n(1e9))))
		},
		func(f *metav1.FieldsV1, _ randfill.Continue) { *f = metav1.FieldsV1{Raw: []byte("{}")} },
		func(e *runtime.RawExtension, _ randfill.Continue) {
			*e = runtime.RawExtension{Raw: []byte(`{"a":"b"}`)}
		},
	)
}

const rounds = 60

// Objects read from the store are shared by all readers: a rule that changed one would change it under everybody.
func TestRulesLeaveTheOldObjectAlone(t *testing.T) {
	forEachRow(t, func(t *testing.T, r *row) {
		for seed := range int64(rounds) {
			obj, old := r.New(), r.New()
			filler(seed).Fill(obj)
			filler(seed + 1000).Fill(old)
			if seed%2 == 0 { // most updates change little
				obj = old.DeepCopyObject().(object)
			}
			applyDefault(r, obj)
			applyDefault(r, old)
			before := old.DeepCopyObject()
			for name, rule := range rulesWithOld(r) {
				rule(obj.DeepCopyObject().(object), old)
				if !equality.Semantic.DeepEqual(before, old) {
					t.Fatalf("%s changed the old object (seed %d)", name, seed)
				}
			}
		}
	})
}

func rulesWithOld(r *row) map[string]func(obj, old object) {
	rules := map[string]func(obj, old object){}
	add := func(name string, rule func(obj, old object)) { rules[name] = rule }
	if r.PrepareUpdate != nil {
		add("PrepareUpdate", r.PrepareUpdate)
	}
	if r.ValidateUpdate != nil {
		add("ValidateUpdate", func(obj, old object) { r.ValidateUpdate(obj, old) })
	}
	if r.Warnings != nil {
		add("Warnings", func(obj, old object) { r.Warnings(obj, old); r.Warnings(obj, nil) })
	}
	subresources := slices.Clone(r.Subresources)
	if r.Status != nil {
		subresources = append(subresources, *r.Status)
	}
	for _, sub := range subresources {
		if sub.PrepareUpdate != nil {
			add(sub.Name+".PrepareUpdate", sub.PrepareUpdate)
		}
		if sub.ValidateUpdate != nil {
			add(sub.Name+".ValidateUpdate", func(obj, old object) { sub.ValidateUpdate(obj, old) })
		}
	}
	for _, s := range r.Served {
		add(s.Group+".FromStored", func(_, old object) { must(s.FromStored(old)) })
		if s.ValidateUpdate != nil {
			add(s.Group+".ValidateUpdate", func(obj, old object) { s.ValidateUpdate(obj, old) })
		}
	}
	// The others only read; they are given the stored object.
	if r.Validate != nil {
		add("Validate", func(_, old object) { r.Validate(old) })
	}
	if r.Row != nil {
		add("Row", func(_, old object) { r.Row(old) })
	}
	if r.Fields != nil {
		add("Fields", func(_, old object) { r.Fields(old) })
	}
	if r.Scale != nil {
		add("Scale.Get", func(_, old object) { r.Scale.Get(old) })
	}
	return rules
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func applyDefault(r *row, obj object) {
	if r.Default != nil {
		r.Default(obj)
	}
}

// What was defaulted once is defaulted: otherwise an update that changes nothing would.
func TestDefaultsAreStable(t *testing.T) {
	forEachRow(t, func(t *testing.T, r *row) {
		for seed := range int64(rounds) {
			obj := r.New()
			filler(seed).Fill(obj)
			applyDefault(r, obj)
			again := obj.DeepCopyObject().(object)
			applyDefault(r, again)
			if !equality.Semantic.DeepEqual(obj, again) {
				t.Fatalf("a second Default changes the object (seed %d):\n%+v\n%+v", seed, obj, again)
			}
		}
	})
}

func TestColumnsMatchRows(t *testing.T) {
	forEachRow(t, func(t *testing.T, r *row) {
		for seed := range int64(rounds) {
			obj := r.New()
			if seed > 0 {
				filler(seed).Fill(obj)
			}
			cells := kindsresource.Cells(r.Row(obj), now)
			if len(cells) != len(r.Columns) {
				t.Fatalf("%d columns, %d cells", len(r.Columns), len(cells))
			}
			for i, cell := range cells {
				wantCell(t, r.Columns[i], cell)
			}
		}
	})
}

// wantCell lets pass integers in columns of text, as upstream has them (DATA of a secret), and texts and booleans in each
// other's (SUSPEND of a cronjob, ALLOWVOLUMEEXPANSION of a class).
func wantCell(t *testing.T, column kindsresource.Column, cell any) {
	t.Helper()
	switch cell.(type) {
	case string:
		if column.Type == "string" || column.Type == "date" || column.Type == "boolean" {
			return
		}
	case int64:
		if column.Type == "integer" || column.Type == "string" {
			return
		}
	case bool:
		if column.Type == "boolean" || column.Type == "string" {
			return
		}
	}
	t.Fatalf("column %s of type %s holds %T %v, which a Table cannot", column.Name, column.Type, cell, cell)
}

// asStored drops what no stored object has: parts of a second, lists that are empty and there.
func asStored(t *testing.T, obj object) {
	t.Helper()
	switch obj := obj.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		asChecked(obj)
	case *networkingv1.Ingress:
		oneBackend(obj.Spec.DefaultBackend)
		for _, r := range obj.Spec.Rules {
			for i := 0; r.HTTP != nil && i < len(r.HTTP.Paths); i++ {
				oneBackend(&r.HTTP.Paths[i].Backend)
			}
		}
	}
	data, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	reflect.ValueOf(obj).Elem().SetZero()
	if err := json.Unmarshal(data, obj); err != nil {
		t.Fatal(err)
	}
}

// oneBackend makes a backend one that validation lets pass: a service with a name or a number for its port.
func oneBackend(b *networkingv1.IngressBackend) {
	if b == nil || b.Service == nil {
		return
	}
	b.Resource, b.Service.Name = nil, "s"
	if b.Service.Port.Name != "" {
		b.Service.Port.Number = 0
	}
}

// asChecked makes metrics ones that validation lets pass: one source each, and one goal. Defaults leave no behavior empty.
func asChecked(a *autoscalingv2.HorizontalPodAutoscaler) {
	if b := a.Spec.Behavior; b != nil && *b == (autoscalingv2.HorizontalPodAutoscalerBehavior{}) {
		a.Spec.Behavior = nil
	}
	for i := range a.Spec.Metrics {
		m := &a.Spec.Metrics[i]
		m.Type, m.Object, m.Resource, m.External, m.ContainerResource = autoscalingv2.PodsMetricSourceType, nil, nil, nil, nil
		average := resource.MustParse("3")
		m.Pods = &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "hits"}, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: &average}}
	}
	for i := range a.Status.CurrentMetrics {
		a.Status.CurrentMetrics[i] = autoscalingv2.MetricStatus{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{
			Name: "memory", Current: autoscalingv2.MetricValueStatus{AverageValue: resource.NewQuantity(5, resource.DecimalSI)},
		}}
	}
}

// Conversion between served versions loses nothing.
func TestServedVersionsRoundTrip(t *testing.T) {
	forEachRow(t, func(t *testing.T, r *row) {
		for _, s := range r.Served {
			for seed := range int64(rounds) {
				obj := r.New()
				filler(seed).Fill(obj)
				asStored(t, obj)
				obj.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
				back := must(s.ToStored(must(s.FromStored(obj))))
				if !equality.Semantic.DeepEqual(obj, back) {
					t.Fatalf("to %s and back (seed %d): %s", s.Group, seed, diff.Diff(obj, back))
				}
			}
		}
	})
}

// The whole table on one page. A change of it is a change of the API.
func TestTable(t *testing.T) {
	datadriven.RunTest(t, "testdata/table.txt", func(t *testing.T, d *datadriven.TestData) string {
		var b strings.Builder
		for _, r := range kinds.Builtin().Rows() {
			printRow(&b, r)
		}
		return b.String()
	})
}

func printRow(b *strings.Builder, r *row) {
	scope := "cluster"
	if r.Namespaced {
		scope = "namespaced"
	}
	fmt.Fprintf(b, "%s %s %s %s\n", r.Table(), r.Version, r.Kind, scope)
	line := func(name string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(b, "  %s: %s\n", name, strings.TrimSpace(strings.Join(values, " ")))
		}
	}
	line("short", r.ShortNames)
	line("categories", r.Categories)
	line("verbs", r.Verbs)
	var flags []string
	for name, set := range map[string]bool{
		"createOnUpdate": r.AllowCreateOnUpdate, "unconditionalUpdate": r.AllowUnconditionalUpdate, "relaxed": r.Relaxed,
		"virtual": r.Virtual, "scale": r.Scale != nil, "gracePeriod": r.GracePeriod != nil, "orphanDependents": r.OrphanDependents,
		"noDependents": r.NoDependents,
	} {
		if set {
			flags = append(flags, name)
		}
	}
	slices.Sort(flags)
	line("flags", flags)
	if r.Status != nil {
		line("/status", verbsOf(*r.Status))
	}
	for _, sub := range r.Subresources {
		line("/"+sub.Name, append(verbsOf(sub), sub.Body.Kind))
	}
	line("fields", r.FieldLabels)
	for _, s := range r.Served {
		line("served", []string{s.Group + "/" + s.Version})
	}
	var columns []string
	for _, c := range r.Columns {
		name := strings.ToUpper(c.Name)
		if c.Priority > 0 {
			name = "(" + name + ")"
		}
		columns = append(columns, name)
	}
	line("columns", columns)
	if r.Deprecated != "" {
		line("deprecated", []string{r.Deprecated})
	}
}

func verbsOf(sub kindsresource.Subresource) []string {
	if sub.Verbs == nil {
		return []string{"get", "patch", "update"}
	}
	return slices.Clone(sub.Verbs)
}
