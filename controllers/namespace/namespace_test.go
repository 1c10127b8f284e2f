package namespace_test

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/controllers/namespace"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// elsewhere is an API server that keeps something in namespaces whose names say so: what is in "slow" goes when it is asked the
// second time, and of what is in "dark" it tells only then.
func elsewhere() namespace.Elsewhere {
	asked := map[string]int{}
	version := schema.GroupVersion{Group: "wardle.example.com", Version: "v1"}
	return func(_ context.Context, name string) (map[schema.GroupResource][]metav1.PartialObjectMetadata, map[schema.GroupVersion]error, []error) {
		asked[name]++
		flunders := schema.GroupResource{Group: version.Group, Resource: "flunders"}
		switch {
		case name == "slow" && asked[name] == 1:
			gem := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "gem", Finalizers: []string{"example.com/polish"}}}
			return map[schema.GroupResource][]metav1.PartialObjectMetadata{flunders: {gem}}, nil, nil
		case name == "dark" && asked[name] == 1:
			return nil, map[schema.GroupVersion]error{version: errors.New("stale GroupVersion discovery: " + version.String())}, nil
		}
		return map[schema.GroupResource][]metav1.PartialObjectMetadata{flunders: nil}, nil, nil
	}
}

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{namespace.New(kinds.Builtin(), elsewhere())}
	})
}
