package apps_test

import (
	"testing"

	"proa/kinds/apps"
	"proa/kinds/rowtest"
)

func TestRows(t *testing.T) {
	rowtest.Run(t, "testdata", apps.ControllerRevision(), apps.DaemonSet(), apps.Deployment(), apps.ReplicaSet(), apps.StatefulSet())
}
