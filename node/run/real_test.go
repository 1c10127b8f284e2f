package run_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

func TestPodRunsAndEnds(t *testing.T) {
	c := start(t)
	c.create("quick", []string{"exit", "0", "all done"}, never)
	p := c.waitPhase("quick", v1.PodSucceeded)
	ended := p.Status.ContainerStatuses[0].State.Terminated
	if ended.Reason != "Completed" || ended.Message != "all done" || ended.ExitCode != 0 {
		t.Errorf("container ended as %+v", ended)
	}
	c.create("slow", []string{"wait"})
	p = c.waitReady("slow")
	if p.Status.PodIP != "192.0.2.7" || p.Status.QOSClass != v1.PodQOSBestEffort || p.Status.StartTime == nil {
		t.Errorf("status is %+v", p.Status)
	}
	c.delete("slow", 30)
	c.waitGone("slow")
	c.delete("quick", 30)
	c.waitGone("quick")
}
