package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const floorPods = 15

// floor takes the times of the CRI calls under a pod start, on the cluster's own container runtime and pod network: what no
// agent can be faster than.
func floor(ctx context.Context, work string, out report) error {
	path, err := socket()
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("unix://"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("reach the container runtime: %w", err)
	}
	defer conn.Close()
	f := floorRun{api: runtimeapi.NewRuntimeServiceClient(conn), logs: work}
	for i := range floorPods {
		if err := f.pod(ctx, "floor-"+strconv.Itoa(i)); err != nil {
			return fmt.Errorf("call the container runtime: %w", err)
		}
	}
	total := 0.0
	for i, id := range []string{"floor.sandbox", "floor.create", "floor.start"} {
		slices.Sort(f.took[i])
		median := quantile(f.took[i], .5)
		out(id, median)
		total += median
	}
	out("floor.all", total)
	return nil
}

type floorRun struct {
	api  runtimeapi.RuntimeServiceClient
	logs string
	took [3][]time.Duration // RunPodSandbox, CreateContainer, StartContainer
}

// pod starts and removes one pod.
func (f *floorRun) pod(ctx context.Context, name string) error {
	box := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: name, Uid: name, Namespace: "floor"}, Hostname: name, LogDirectory: f.logs,
		Linux: &runtimeapi.LinuxPodSandboxConfig{SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{}},
	}
	main := &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "main"}, Image: &runtimeapi.ImageSpec{Image: sandboxImage}, LogPath: name + ".log",
		Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{}},
	}
	at := time.Now()
	lap := func(i int) {
		now := time.Now()
		f.took[i] = append(f.took[i], now.Sub(at))
		at = now
	}
	sandbox, err := f.api.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: box})
	if err != nil {
		return err
	}
	lap(0)
	id := sandbox.PodSandboxId
	made, err := f.api.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{PodSandboxId: id, Config: main, SandboxConfig: box})
	if err != nil {
		return err
	}
	lap(1)
	if _, err := f.api.StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: made.ContainerId}); err != nil {
		return err
	}
	lap(2)
	if _, err := f.api.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
		return err
	}
	_, err = f.api.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: id})
	return err
}
