package aggregate_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
)

// keeper is an aggregated server that keeps things in a namespace. One of them is held by a finalizer.
type keeper struct {
	mu struct {
		sync.Mutex
		things []string
		asked  []string // by whom, and for what
	}
}

func (k *keeper) serve(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	const at = "/apis/example.com/v1/namespaces/a/things"
	if r.URL.Path != "/apis/example.com/v1" {
		k.mu.asked = append(k.mu.asked, r.Header.Get("X-Remote-User")+" "+r.Method+" "+r.URL.RequestURI())
	}
	var answer any
	switch name, isThing := strings.CutPrefix(r.URL.Path, at+"/"); {
	case r.URL.Path == "/apis/example.com/v1":
		verbs := metav1.Verbs{"get", "list", "delete"}
		answer = metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "things", Kind: "Thing", Namespaced: true, Verbs: verbs}, {Name: "wholes", Kind: "Whole", Verbs: verbs},
			{Name: "things/status", Namespaced: true, Verbs: metav1.Verbs{"get"}}, {Name: "reviews", Namespaced: true, Verbs: metav1.Verbs{"create"}}}}
	case r.URL.Path == at:
		var list metav1.PartialObjectMetadataList
		for _, thing := range k.mu.things {
			list.Items = append(list.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: thing}})
		}
		answer = list
	case isThing && name == "vanished":
		http.NotFound(w, r)
		return
	case isThing && r.Method == http.MethodDelete && name != "held":
		k.mu.things = slices.DeleteFunc(k.mu.things, func(thing string) bool { return thing == name })
	}
	if answer == nil {
		answer = metav1.Status{Status: metav1.StatusSuccess}
	}
	json.NewEncoder(w).Encode(answer)
}

// What is namespaced and can be deleted is, by the user who empties; what stays is told.
func TestNamespaceIsEmptied(t *testing.T) {
	k := &keeper{}
	k.mu.things = []string{"gem", "held"}
	w := newWorld(t, k.serve, true)
	user, version := auth.User{Name: "sweeper"}, schema.GroupVersion{Group: "example.com", Version: "v1"}

	// Before the server was asked what it serves, nobody knows what it keeps.
	_, unknown, failures := w.aggregator.Empty(t.Context(), user, "a")
	if len(failures) > 0 || unknown[version] == nil || unknown[version].Error() != "stale GroupVersion discovery: example.com/v1" {
		t.Errorf("before it told what it serves: %v, %v", unknown, failures)
	}
	if err := w.aggregator.Check(t.Context(), service("v1", true)); err != nil {
		t.Fatal(err)
	}
	left, unknown, failures := w.aggregator.Empty(t.Context(), user, "a")
	if len(unknown) > 0 || len(failures) > 0 {
		t.Fatalf("emptied with %v, %v", unknown, failures)
	}
	things := left[schema.GroupResource{Group: "example.com", Resource: "things"}]
	if len(left) != 1 || len(things) != 1 || things[0].Name != "held" {
		t.Errorf("left %v", left)
	}
	const at = "/apis/example.com/v1/namespaces/a/things"
	want := []string{"sweeper GET " + at + "?limit=500", "sweeper DELETE " + at + "/gem?propagationPolicy=Background",
		"sweeper DELETE " + at + "/held?propagationPolicy=Background", "sweeper GET " + at + "?limit=500"}
	if !slices.Equal(k.mu.asked, want) {
		t.Errorf("asked %q", k.mu.asked)
	}
}

// One that went meanwhile is no failure.
func TestEmptyingMeetsOthers(t *testing.T) {
	k := &keeper{}
	k.mu.things = []string{"vanished"}
	w := newWorld(t, k.serve, true)
	if err := w.aggregator.Check(t.Context(), service("v1", true)); err != nil {
		t.Fatal(err)
	}
	if _, _, failures := w.aggregator.Empty(t.Context(), auth.User{Name: "sweeper"}, "a"); len(failures) > 0 {
		t.Errorf("failed with %v", failures)
	}
}

// An owner is found where its kind is served, and there alone; names that are no names are not asked for.
func TestFind(t *testing.T) {
	k := &keeper{}
	w := newWorld(t, k.serve, true)
	if err := w.aggregator.Check(t.Context(), service("v1", true)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, name, namespace string
		there, known          bool
	}{
		{"Thing", "gem", "a", true, true}, {"Thing", "vanished", "a", false, true}, {"Whole", "earth", "", true, true},
		{"Thing", "gem", "", false, false}, {"Other", "gem", "a", false, false}, {"Thing", "../gem", "a", false, false},
	} {
		found, known, err := w.aggregator.Find(t.Context(), auth.User{Name: "collector"},
			metav1.OwnerReference{APIVersion: "example.com/v1", Kind: c.kind, Name: c.name}, c.namespace)
		if err != nil || known != c.known || (found != nil) != c.there {
			t.Errorf("%+v: found %v, %v, %v", c, found, known, err)
		}
	}
	want := []string{"collector GET /apis/example.com/v1/namespaces/a/things/gem", "collector GET /apis/example.com/v1/namespaces/a/things/vanished",
		"collector GET /apis/example.com/v1/wholes/earth"}
	if !slices.Equal(k.mu.asked, want) {
		t.Errorf("asked %q", k.mu.asked)
	}
}
