package patch

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/randfill"

	"proa/apiserver/encode"
	"proa/kinds"
	kind "proa/kinds/resource"
)

// filler makes objects with few distinct values, so that two of them agree in some fields and differ in others.
func filler(seed int64) *randfill.Filler {
	return randfill.NewWithSeed(seed).NilChance(0.6).NumElements(0, 2).MaxDepth(9).Funcs(
		func(s *string, c randfill.Continue) { *s = []string{"", "a", "b", "c d"}[c.Rand.Intn(4)] },
		func(i *int32, c randfill.Continue) { *i = int32(c.Rand.Intn(3)) },
		func(i *int64, c randfill.Continue) { *i = int64(c.Rand.Intn(3)) },
		func(b *bool, c randfill.Continue) { *b = c.Rand.Intn(2) == 0 },
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(int64(c.Rand.Intn(3)), resource.DecimalSI)
		},
		func(t *metav1.Time, c randfill.Continue) { *t = metav1.Unix(int64(c.Rand.Intn(2)), 0) },
		func(t *metav1.MicroTime, c randfill.Continue) { t.Time = time.Unix(int64(c.Rand.Intn(2)), 0) },
		func(m *metav1.ObjectMeta, c randfill.Continue) {
			c.FillNoCustom(m)
			m.ManagedFields, m.Finalizers, m.OwnerReferences = nil, nil, nil
		},
		func(f *metav1.FieldsV1, c randfill.Continue) { f.Raw = nil },
		// The keys of these lists are left out of the JSON when they are empty, which upstream's keeper cannot take.
		func(c *flowcontrolv1.FlowSchemaConditionType, r randfill.Continue) {
			*c = flowcontrolv1.FlowSchemaConditionType("abc"[r.Rand.Intn(3):])
		},
		func(c *flowcontrolv1.PriorityLevelConfigurationConditionType, r randfill.Continue) {
			*c = flowcontrolv1.PriorityLevelConfigurationConditionType("abc"[r.Rand.Intn(3):])
		},
		func(e *runtime.RawExtension, c randfill.Continue) {
			*e = runtime.RawExtension{Raw: []byte([]string{`{"a":{"b":1}}`, `{"a":{"b":2},"c":[1]}`}[c.Rand.Intn(2)])}
		},
	)
}

// TestPlansOfAllKinds: no kind goes upstream's slow way for want of a plan.
func TestPlansOfAllKinds(t *testing.T) {
	f := NewFields(kinds.NewScheme())
	for _, r := range kinds.Builtin().Rows() {
		if r.Virtual {
			continue
		}
		if _, err := f.planOf(r); err != nil {
			t.Errorf("%s: %v", r.Table(), err)
		}
	}
}

// TestUpdateLikeUpstream compares a history of random writes by several managers with what upstream's keeper makes of it.
func TestUpdateLikeUpstream(t *testing.T) {
	f := NewFields(kinds.NewScheme())
	quick, slow := 0, 0
	for _, r := range kinds.Builtin().Rows() {
		if r.Virtual {
			continue
		}
		for seed := range int64(12) {
			q, s := compareHistory(t, f, r, seed)
			quick, slow = quick+q, slow+s
		}
	}
	t.Logf("%d writes compared, %d left to upstream", quick, slow)
	if quick < slow {
		t.Error("most writes went upstream's way: the comparison compares little")
	}
}

func compareHistory(t *testing.T, f *Fields, r *kind.Resource, seed int64) (quick, slow int) {
	t.Helper()
	fill, rnd := filler(seed), rand.New(rand.NewSource(seed))
	var ours, theirs kind.Object
	for step := range 5 {
		filled, next := r.New(), r.New()
		fill.Fill(filled)
		if b, err := json.Marshal(filled); err != nil { // as a client would have sent it
			t.Fatal(err)
		} else if err := json.Unmarshal(b, next); err != nil {
			t.Fatal(err)
		}
		next.SetName("a")
		next.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
		manager := fmt.Sprint("m", rnd.Intn(3))
		sub := []string{"", "status"}[rnd.Intn(2)]
		a, b := next.DeepCopyObject().(kind.Object), next.DeepCopyObject().(kind.Object)
		p, err := f.planOf(r)
		if err != nil {
			t.Fatal(err)
		}
		var d differ
		live := ours
		if live == nil {
			live = r.New()
			live.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
		}
		skip, plain := skipped(r, sub)
		if plain {
			d.object(p.plan, reflect.ValueOf(live).Elem(), reflect.ValueOf(a).Elem(), skip)
		}
		if d.unsure || !plain {
			return quick, slow + 1
		}
		if err := f.Update(encode.Stored(r), sub, ours, a, manager, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if theirs == nil {
			theirs = r.New()
		}
		if err := f.updateSlowly(encode.Stored(r), sub, theirs, b, manager); err != nil {
			t.Fatal(err)
		}
		if got, want := describe(a), describe(b); got != want {
			t.Fatalf("%s, seed %d, step %d (%s by %s):\ngot  %s\nwant %s", r.Table(), seed, step, sub, manager, got, want)
		}
		quick++
		ours, theirs = a, b
	}
	return quick, slow
}

// Another manager that spells the same JSON otherwise owns nothing by it, but where it is an element of a list that is owned
// as a whole.
func TestSpelledOtherwise(t *testing.T) {
	f := NewFields(kinds.NewScheme())
	r := kinds.Builtin().ByTable("resourceclaims.resource.k8s.io")
	claim := func(raw string, listed bool) kind.Object {
		c := &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		json := runtime.RawExtension{Raw: []byte(raw)}
		if listed {
			c.Spec.Devices.Config = []resourcev1.DeviceClaimConfiguration{{DeviceConfiguration: resourcev1.DeviceConfiguration{
				Opaque: &resourcev1.OpaqueDeviceConfiguration{Driver: "d", Parameters: json}}}}
		} else {
			c.Status.Devices = []resourcev1.AllocatedDeviceStatus{{Driver: "d", Pool: "p", Device: "e", Data: &json}}
		}
		c.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
		return c
	}
	for _, c := range []struct {
		text   string
		listed bool
		owned  bool
	}{
		{`{ "b":2, "a":1.0 }`, false, false},
		{`{"a":1,"b":3}`, false, true},
		{`{ "b":2, "a":1.0 }`, true, true},
	} {
		sub := map[bool]string{false: "status"}[c.listed]
		old := claim(`{"a":1,"b":2}`, c.listed)
		if err := f.Update(encode.Stored(r), sub, nil, old, "m", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		quick, slow := claim(c.text, c.listed), claim(c.text, c.listed)
		if err := f.Update(encode.Stored(r), sub, old, quick, "n", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if err := f.updateSlowly(encode.Stored(r), sub, old, slow, "n"); err != nil {
			t.Fatal(err)
		}
		if got, want := describe(quick), describe(slow); got != want || strings.Contains(got, "n Update") != c.owned {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, want)
		}
	}
}

// In a part that is owned as a whole, an empty list is another than none if it belongs to an element of a list.
func TestEmptyInWholes(t *testing.T) {
	f := NewFields(kinds.NewScheme())
	r := kinds.Builtin().ByTable("persistentvolumes")
	volume := func(terms ...corev1.NodeSelectorTerm) kind.Object {
		v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: terms}}
		v.GetObjectKind().SetGroupVersionKind(r.GroupVersionKind())
		return v
	}
	none := volume(corev1.NodeSelectorTerm{})
	if err := f.Update(encode.Stored(r), "", nil, none, "m", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		volume kind.Object
		owned  bool
	}{
		{volume(corev1.NodeSelectorTerm{}), false},
		{volume(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{}}), true},
		{volume(), true},
	} {
		quick, slow := c.volume, c.volume.DeepCopyObject().(kind.Object)
		if err := f.Update(encode.Stored(r), "", none, quick, "n", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		if err := f.updateSlowly(encode.Stored(r), "", none, slow, "n"); err != nil {
			t.Fatal(err)
		}
		if got, want := describe(quick), describe(slow); got != want || strings.Contains(got, "n Update") != c.owned {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// describe prints who owns what, without times.
func describe(obj kind.Object) string {
	owners := map[string]*set{}
	for _, e := range obj.GetManagedFields() {
		s, err := parseSet(e.FieldsV1.Raw)
		if err != nil {
			return err.Error()
		}
		owners[fmt.Sprint(e.Manager, " ", e.Operation, " ", e.APIVersion, " ", e.Subresource)] = s
	}
	out := ""
	for _, m := range slices.Sorted(maps.Keys(owners)) {
		out += "\n  " + m + ": " + string(owners[m].appendJSON(nil))
	}
	return out
}

func BenchmarkUpdate(b *testing.B) {
	f := NewFields(kinds.NewScheme())
	r := kinds.Builtin().ByTable("pods")
	old := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	if err := f.Update(encode.Stored(r), "", nil, old, "m", time.Unix(0, 0)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		obj := old.DeepCopy()
		obj.Status.Message = "x"
		if err := f.Update(encode.Stored(r), "status", old, obj, "n", time.Unix(0, 0)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFirstWrites is what the first write of every kind costs, on the way to a ready API.
func BenchmarkFirstWrites(b *testing.B) {
	b.ReportAllocs()
	rows := kinds.Builtin().Rows()
	for b.Loop() {
		f := NewFields(nil)
		for _, r := range rows {
			if _, err := f.planOf(r); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestCommonPaths: what is counted in the text is what the sets have in common.
func TestCommonPaths(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{`{}`, `{}`, 0},
		{`{"f:a":{}}`, `{"f:a":{}}`, 1},
		{`{"f:a":{"f:b":{},"f:c":{}}}`, `{"f:a":{}}`, 0},
		{`{"f:a":{".":{},"f:b":{}}}`, `{"f:a":{}}`, 1},
		{`{"f:a":{}}`, `{"f:a":{".":{},"f:b":{}}}`, 1},
		{`{"f:l":{"k:{\"name\":\"c\"}":{"f:x":{},"f:y":{}}}}`, ` { "f:l" : {"k:{\"name\":\"c\"}":{"f:y":{},"f:z":{}},"k:{\"name\":\"d\"}":{}}} `, 1},
		{`{"f:é\"":{}}`, `{"f:\u00e9\"":{}}`, 1},
	} {
		a, err := parseSet([]byte(c.a))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := a.common([]byte(c.b)); n != c.want || err != nil {
			t.Errorf("%s and %s have %d paths in common, want %d (%v)", c.a, c.b, n, c.want, err)
		}
	}
	for _, bad := range []string{``, `{`, `{}x`, `{"f:a"}`, `{"f:a":{}`, `{"\x":{}}`, `{"f:a":{},}`, `[]`} {
		if _, err := new(set).common([]byte(bad)); err == nil {
			t.Errorf("%q is taken for fields", bad)
		}
		if _, err := parseSet([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a set", bad)
		}
	}
}
