package run_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/client"
)

// BenchmarkPodStart measures one pod at a time, from its creation to Running in the API, beside the CRI calls alone.
func BenchmarkPodStart(b *testing.B) {
	c := start(b)
	var pods, calls []time.Duration
	for i := 0; b.Loop(); i++ {
		calls = append(calls, c.criAlone(i))
		name := fmt.Sprint("bench-", i)
		begun := time.Now()
		c.create(name, []string{"wait"})
		c.waitPhase(name, v1.PodRunning)
		pods = append(pods, time.Since(begun))
		c.delete(name, 2)
		c.waitGone(name)
	}
	b.ReportMetric(median(pods), "pod-ms")
	b.ReportMetric(median(calls), "cri-ms")
	b.ReportMetric(median(pods)/median(calls), "ratio")
}

// BenchmarkBurst measures twenty pods at once until all run.
func BenchmarkBurst(b *testing.B) {
	c := start(b)
	const burst = 20
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		begun := time.Now()
		for n := range burst {
			c.create(fmt.Sprintf("burst-%d-%d", i, n), []string{"wait"})
		}
		for n := range burst {
			c.waitPhase(fmt.Sprintf("burst-%d-%d", i, n), v1.PodRunning)
		}
		took = append(took, time.Since(begun))
		for p := range client.List[*v1.Pod](c.client.View(), "pods", "") {
			c.delete(p.Name, 2)
		}
		for n := range burst {
			c.waitGone(fmt.Sprintf("burst-%d-%d", i, n))
		}
	}
	b.ReportMetric(median(took), "burst-ms")
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

// criAlone makes a pod by the calls that nothing can do without.
func (c *cluster) criAlone(i int) time.Duration {
	c.Helper()
	ctx := context.Background()
	namespaces := &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_CONTAINER, Network: runtimeapi.NamespaceMode_NODE}
	config := &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: fmt.Sprint("floor-", i), Namespace: "floor", Uid: fmt.Sprint("floor-", i)},
		LogDirectory: c.TempDir(),
		Linux: &runtimeapi.LinuxPodSandboxConfig{CgroupParent: c.cgroups.Path(&v1.Pod{}),
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: namespaces}},
	}
	begun := time.Now()
	box, err := c.runtime.Containers.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: config})
	if err != nil {
		c.Fatal(err)
	}
	made, err := c.runtime.Containers.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{PodSandboxId: box.PodSandboxId, SandboxConfig: config,
		Config: &runtimeapi.ContainerConfig{
			Metadata: &runtimeapi.ContainerMetadata{Name: "main"}, Image: &runtimeapi.ImageSpec{Image: toolImage}, Args: []string{"wait"}, LogPath: "log",
			Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{NamespaceOptions: namespaces}},
		}})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.runtime.Containers.StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: made.ContainerId}); err != nil {
		c.Fatal(err)
	}
	took := time.Since(begun)
	if _, err := c.runtime.Containers.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: box.PodSandboxId}); err != nil {
		c.Fatal(err)
	}
	return took
}
