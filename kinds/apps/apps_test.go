package apps_test

import (
	"testing"

	"proa/kinds/apps"
	"proa/kinds/rowtest"
)

func TestRows(t *testing.T) {
	rowtest.Run(t, "testdata", apps.Deployment(), apps.ReplicaSet())
}
