package flowcontrol_test

import (
	"testing"

	"proa/controllers/flowcontrol"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{flowcontrol.New()}
	})
}
