package resourcequota_test

import (
	"testing"

	"proa/controllers/resourcequota"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	table := kinds.Builtin()
	reconciletest.Run(t, "testdata", table, func() []reconcile.Controller {
		return []reconcile.Controller{resourcequota.New(table)}
	})
}
