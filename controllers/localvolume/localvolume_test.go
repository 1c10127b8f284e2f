package localvolume_test

import (
	"testing"

	"proa/controllers/localvolume"
	"proa/controllers/volumebinding"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{localvolume.New(), volumebinding.New()}
	})
}
