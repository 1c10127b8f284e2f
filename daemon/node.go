package daemon

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/cri"
	"proa/node/image"
	"proa/node/runtime"
)

// criRuntime describes the bundled containerd of a node.
func criRuntime(cfg *Config) (*runtime.Runtime, error) {
	return runtime.New(runtime.Config{
		BundleDir: cfg.BundleDir, DataDir: filepath.Join(cfg.DataDir, "containerd"), StateDir: filepath.Join(cfg.RunDir, "containerd"),
		CNIBinDir: cfg.BundleDir, CNIConfDir: cniConfDir(cfg), SandboxImage: cfg.SandboxImage,
		LogFile: filepath.Join(cfg.DataDir, "log", "containerd.log"), Log: cfg.Log,
	})
}

// Images opens the image store of the node whose data directory this is. The node must be running.
func Images(_ context.Context, cfg *Config) (*image.Store, error) {
	if err := cfg.Default(); err != nil {
		return nil, err
	}
	r, err := criRuntime(cfg)
	if err != nil {
		return nil, err
	}
	return imagesOf(cfg, r.Socket())
}

// imagesOf is the image store behind a runtime's socket.
func imagesOf(cfg *Config, socket string) (*image.Store, error) {
	ctr, err := exec.LookPath(filepath.Join(cfg.BundleDir, "ctr"))
	if err != nil {
		if ctr, err = exec.LookPath("ctr"); err != nil {
			return nil, errors.New("ctr is neither in the bundle nor on PATH: it comes with containerd and imports images; run make build")
		}
	}
	runtimeClient, err := cri.New("unix://" + socket)
	if err != nil {
		return nil, fmt.Errorf("reach the container runtime: %w", err)
	}
	list := func(ctx context.Context) ([]*runtimeapi.Image, error) {
		answer, err := runtimeClient.Images().ListImages(ctx, &runtimeapi.ListImagesRequest{})
		if err != nil {
			return nil, fmt.Errorf("list images: %w", err)
		}
		return answer.Images, nil
	}
	return image.New(image.Config{Ctr: ctr, Socket: socket, Images: list, Log: cfg.Log}), nil
}
