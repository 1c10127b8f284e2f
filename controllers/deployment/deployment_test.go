package deployment_test

import (
	"testing"

	"proa/controllers/deployment"
	"proa/controllers/replicaset"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

// The scripts run the replica set controller too: a rollout is what the two do together.
func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{deployment.New(), replicaset.New()}
	})
}
