package cri

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	v1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// ContainerParams is what ContainerConfig needs beside the node's settings. All fields are required unless said otherwise.
type ContainerParams struct {
	Pod       *v1.Pod
	Container *v1.Container
	Attempt   int
	ImageRef  string
	ImageUser ImageUser
	PodIPs    []string
	Env       []Variable          // from Environment
	Mounts    []*runtimeapi.Mount // of volumes
	TargetID  string              // optional: the container whose process namespace an ephemeral container joins
}

// ContainerConfig says in the runtime's terms what container the spec asks for. It writes the files the container is given.
func (s *Settings) ContainerConfig(in ContainerParams) (*runtimeapi.ContainerConfig, error) {
	p, c := in.Pod, in.Container
	if err := os.MkdirAll(filepath.Join(s.LogDir(p), c.Name), 0o755); err != nil {
		return nil, fmt.Errorf("create log directory: %w", err)
	}
	mounts, err := s.mounts(in)
	if err != nil {
		return nil, err
	}
	security, err := s.containerSecurity(in)
	if err != nil {
		return nil, err
	}
	expand := Expander(in.Env)
	return &runtimeapi.ContainerConfig{
		Metadata:    &runtimeapi.ContainerMetadata{Name: c.Name, Attempt: uint32(in.Attempt)},
		Image:       &runtimeapi.ImageSpec{Image: in.ImageRef, UserSpecifiedImage: c.Image},
		Command:     expandAll(c.Command, expand),
		Args:        expandAll(c.Args, expand),
		WorkingDir:  c.WorkingDir,
		Envs:        keyValues(in.Env),
		Mounts:      mounts,
		Labels:      containerLabels(p, c),
		Annotations: containerAnnotations(p, c, in.Attempt),
		LogPath:     logPath(c.Name, in.Attempt),
		Stdin:       c.Stdin,
		StdinOnce:   c.StdinOnce,
		Tty:         c.TTY,
		StopSignal:  stopSignal(c),
		Linux:       &runtimeapi.LinuxContainerConfig{Resources: s.ContainerResources(p, c), SecurityContext: security},
	}, nil
}

// mounts adds the hosts file and the file for the termination message to the volumes' mounts.
func (s *Settings) mounts(in ContainerParams) ([]*runtimeapi.Mount, error) {
	p, c := in.Pod, in.Container
	mounts := in.Mounts
	hosts, err := s.hostsMount(p, c, in.PodIPs)
	if err != nil {
		return nil, err
	}
	if hosts != nil {
		mounts = append(mounts, hosts)
	}
	if c.TerminationMessagePath == "" {
		return mounts, nil
	}
	dir := filepath.Join(s.PodDir(p.UID), "containers", c.Name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create folder of container: %w", err)
	}
	path := filepath.Join(dir, strconv.Itoa(in.Attempt))
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		return nil, fmt.Errorf("create termination message file: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // whoever the container runs as, whatever our umask
		return nil, fmt.Errorf("create termination message file: %w", err)
	}
	return append(mounts, &runtimeapi.Mount{ContainerPath: c.TerminationMessagePath, HostPath: path}), nil
}

func stopSignal(c *v1.Container) runtimeapi.Signal {
	if c.Lifecycle == nil || c.Lifecycle.StopSignal == nil {
		return runtimeapi.Signal_RUNTIME_DEFAULT
	}
	return runtimeapi.Signal(runtimeapi.Signal_value[string(*c.Lifecycle.StopSignal)])
}

func keyValues(env []Variable) []*runtimeapi.KeyValue {
	all := make([]*runtimeapi.KeyValue, 0, len(env))
	for _, v := range env {
		all = append(all, &runtimeapi.KeyValue{Key: v.Name, Value: []byte(v.Value)})
	}
	return all
}
