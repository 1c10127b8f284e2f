package volumeprotection_test

import (
	"testing"

	"proa/controllers/volumeprotection"
	"proa/kinds"
	"proa/reconcile"
	"proa/reconcile/reconciletest"
)

func TestScripts(t *testing.T) {
	reconciletest.Run(t, "testdata", kinds.Builtin(), func() []reconcile.Controller {
		return []reconcile.Controller{volumeprotection.NewClaims(), volumeprotection.NewVolumes()}
	})
}
