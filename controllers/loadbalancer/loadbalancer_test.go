package loadbalancer_test

import (
	"testing"

	"proa/controllers/loadbalancer"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{loadbalancer.New(map[loadbalancer.Port]string{{Protocol: "TCP", Number: 6443}: "the cluster's API"}), loadbalancer.NewIngresses("192.0.2.1")}
	})
}
