//go:build tools

// Package bundle names the programs of the runtime bundle, so that go.mod and go.sum pin all they are made of.
package bundle

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
	_ "github.com/opencontainers/runc"
)
