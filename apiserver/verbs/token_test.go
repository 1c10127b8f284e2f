package verbs

import (
	"strings"
	"testing"

	"proa/internal/growth"
	"proa/store"
)

// FuzzContinue: what is decoded is a key in the asked namespace, whatever the token says.
func FuzzContinue(f *testing.F) {
	f.Add(encodeContinue(store.Key{Table: "pods", Namespace: "a", Name: "b"}, true, "", 7), true, "")
	f.Add(encodeContinue(store.Key{Table: "pods", Namespace: "a", Name: "b"}, true, "a", 7), true, "a")
	f.Add(encodeContinue(store.Key{Table: "nodes", Name: "b"}, false, "", 7), false, "")
	f.Add("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Mywic3RhcnQiOiIuLi9iIn0", true, "a")
	var grown growth.Watch
	f.Fuzz(func(t *testing.T, token string, namespaced bool, namespace string) {
		grown.Tried(t)
		if !namespaced {
			namespace = ""
		}
		key, rev, err := decodeContinue(token, "pods", namespaced, namespace)
		if err != nil {
			return
		}
		if namespace != "" && key.Namespace != namespace || !namespaced && key.Namespace != "" || strings.Contains(key.Name, "/") {
			t.Errorf("%q in %q: %+v", token, namespace, key)
		}
		if rev == 0 {
			t.Errorf("%q: no revision", token)
		}
		again, rev2, err := decodeContinue(encodeContinue(key, namespaced, namespace, rev), "pods", namespaced, namespace)
		if err != nil || again != key || rev2 != rev {
			t.Errorf("%+v at %d does not survive: %+v at %d, %v", key, rev, again, rev2, err)
		}
	})
}
