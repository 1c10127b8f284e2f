package disruption_test

import (
	"testing"

	"proa/controllers/disruption"
	"proa/controllers/replicaset"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{disruption.New(), replicaset.New()}
	})
}
