package resourceclaim_test

import (
	"testing"

	"proa/controllers/resourceclaim"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{resourceclaim.NewMaker(), resourceclaim.NewEnder()}
	})
}
