package garbagecollector_test

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/controllers/garbagecollector"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// elsewhere is an API server that serves the kind Flunder: one named "brief" is there when it is asked for the first time, and
// "another" has another UID than its dependents say. It cannot be asked for one named "silent".
func elsewhere() garbagecollector.Elsewhere {
	asked := map[string]int{}
	return func(_ context.Context, owner metav1.OwnerReference, namespace string) (*metav1.PartialObjectMetadata, bool, error) {
		asked[owner.Name]++
		found := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: owner.Name, UID: owner.UID}}
		switch {
		case owner.Kind != "Flunder":
			return nil, false, nil
		case owner.Name == "silent" && asked["silent"] == 1:
			return nil, true, errors.New("no answer")
		case owner.Name == "brief" && asked["brief"] > 1:
			return nil, true, nil
		case owner.Name == "another":
			found.UID = "another"
		}
		return found, true, nil
	}
}

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{garbagecollector.New(kinds.Builtin(), elsewhere())}
	})
}
