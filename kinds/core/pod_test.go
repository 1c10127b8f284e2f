package core_test

import (
	"testing"

	"proa/kinds/core"
	"proa/kinds/rowtest"
)

func TestPods(t *testing.T) { rowtest.Run(t, "testdata/pod", core.Pod()) }
