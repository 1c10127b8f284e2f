package verbs

import (
	"fmt"
	"math/rand"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/apiserver/encode"
	"proa/kinds"
	"proa/store"
)

// TestSelectorLikeUpstream: what is quick about selectors of pairs picks what labels.Selector picks.
func TestSelectorLikeUpstream(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	some := func() map[string]string {
		set := map[string]string{}
		for range rnd.Intn(4) {
			set[fmt.Sprintf("k%d", rnd.Intn(3))] = []string{"", "a", "b"}[rnd.Intn(3)]
		}
		return set
	}
	version := encode.Stored(kinds.Builtin().ByTable("configmaps"))
	picked := 0
	for range 3000 {
		text := labels.Set(some()).String()
		switch rnd.Intn(4) {
		case 0:
			text = fmt.Sprintf("k%d in (a)", rnd.Intn(3))
		case 1:
			text = fmt.Sprintf("k%d in (a,b),k%d!=a", rnd.Intn(3), rnd.Intn(3))
		}
		selector, err := parseSelector(version, text, "", "")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		upstream, err := labels.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: some()}}
		item := store.NewItem(store.Key{Table: "configmaps", Name: "a"}, 1, 1, nil, object, nil)
		got, want := selector.matches(item), upstream.Matches(labels.Set(object.Labels))
		if got != want {
			t.Fatalf("%q picks %v: %v, want %v", text, object.Labels, got, want)
		}
		if got {
			picked++
		}
	}
	if picked < 100 {
		t.Errorf("only %d objects were picked: the comparison compares little", picked)
	}
}
