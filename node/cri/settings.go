package cri

import (
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Settings are what all pods of a node have in common. All fields are required unless said otherwise.
type Settings struct {
	NodeName       string
	HostIPs        []string
	LogRoot        string   // the pods' logs: /var/log/pods
	PodRoot        string   // a folder per pod uid: hosts file, termination messages
	SeccompRoot    string   // where Localhost seccomp profiles are
	ClusterDNS     []string // optional: without it every pod gets the host's resolver
	ClusterDomain  string
	ResolvConf     string // optional: the host's resolver configuration
	MemoryCapacity int64  // of the node in bytes
	// Allocatable stands in for limits that a container does not set, where it asks for them by resourceFieldRef.
	Allocatable v1.ResourceList
	// CgroupParent names the cgroup of a pod as the runtime's driver wants it.
	CgroupParent func(p *v1.Pod) string
}

// Source reads what a container's environment refers to. Errors are shown to the user.
type Source interface {
	ConfigMap(namespace, name string) (*v1.ConfigMap, error)
	Secret(namespace, name string) (*v1.Secret, error)
	// Services lists the services of a namespace, sorted by name.
	Services(namespace string) []*v1.Service
}

// PodDir is the agent's folder of a pod.
func (s *Settings) PodDir(uid types.UID) string { return filepath.Join(s.PodRoot, string(uid)) }

// LogDir is the folder of a pod's logs.
func (s *Settings) LogDir(p *v1.Pod) string {
	return LogDirectory(s.LogRoot, p.Namespace, p.Name, p.UID)
}
