package rootca_test

import (
	"testing"

	"proa/controllers/rootca"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{rootca.New([]byte("PEM"))}
	})
}
