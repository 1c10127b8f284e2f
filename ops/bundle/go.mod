// The parts of the container runtime that Proa brings along, and their versions: this file is where they are pinned.
module proa/ops/bundle

go 1.26.0

require (
	github.com/containerd/containerd/v2 v2.2.9
	github.com/opencontainers/runc v1.4.3
)

require (
	github.com/cilium/ebpf v0.17.3 // indirect
	golang.org/x/sys v0.46.0 // indirect
)

// The binding to libseccomp is no longer to be had as a module everywhere: the build takes it from the
// distribution's package (docs/decisions/0001-bundle.md).
replace github.com/seccomp/libseccomp-golang => ../../.cache/libseccomp-golang
