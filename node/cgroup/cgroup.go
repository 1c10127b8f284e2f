// Package cgroup keeps the control groups that pods run in: kubepods, below it burstable and besteffort, below these one
// per pod. Containers get theirs from the runtime, below their pod's.
//
// It owns everything below its root and nothing else; node/run calls it around a pod's sandbox. It works on cgroup v1, v2 and
// the hybrid of both. Where the host lacks a controller, limits of that kind are not enforced and nothing fails.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"

	"proa/node/pod"
)

// Groups makes and removes control groups. It may be used by many goroutines, for different pods.
type Groups struct{ root string }

// New manages the groups below root, a path from the top of each hierarchy: "/kubepods".
func New(root string) *Groups { return &Groups{root: path.Clean("/" + root)} }

// Path is the group of a pod, as runtimes that use the cgroupfs driver want it for the sandbox's parent.
func (g *Groups) Path(p *v1.Pod) string { return g.pathOf(pod.QOSClass(p), p.UID) }

func (g *Groups) pathOf(class v1.PodQOSClass, uid types.UID) string {
	leaf := "pod" + string(uid)
	if class == v1.PodQOSGuaranteed {
		return path.Join(g.root, leaf)
	}
	return path.Join(g.root, strings.ToLower(string(class)), leaf)
}

// Prepare makes the groups that pods are made in.
func (g *Groups) Prepare() error {
	for _, group := range []struct {
		path   string
		shares uint64
	}{{g.root, Shares(int64(runtime.NumCPU()) * 1000)}, {path.Join(g.root, "burstable"), minShares}, {path.Join(g.root, "besteffort"), minShares}} {
		if err := create(group.path, &cgroups.Resources{CpuShares: group.shares}); err != nil {
			return err
		}
	}
	return nil
}

// Ensure makes the group of a pod with its limits, or brings the limits of an existing one up to date.
func (g *Groups) Ensure(p *v1.Pod) error { return create(g.Path(p), podResources(p)) }

// SetBurstable gives the burstable pods together the weight of their requests in thousandths of a CPU.
func (g *Groups) SetBurstable(milliCPU int64) error {
	return create(path.Join(g.root, "burstable"), &cgroups.Resources{CpuShares: Shares(milliCPU)})
}

// Remove removes the group of a pod, whatever its class was. Its containers have ended; what still runs there escaped them (a
// start that was cut off leaves such a process) and is killed.
func (g *Groups) Remove(ctx context.Context, uid types.UID) error {
	var errs []error
	for _, class := range []v1.PodQOSClass{v1.PodQOSGuaranteed, v1.PodQOSBurstable, v1.PodQOSBestEffort} {
		errs = append(errs, destroy(ctx, g.pathOf(class, uid)))
	}
	return errors.Join(errs...)
}

// RemoveAll kills what still runs in the root group and below, and removes them.
func (g *Groups) RemoveAll(ctx context.Context) error { return destroy(ctx, g.root) }

func open(path string, r *cgroups.Resources) (cgroups.Manager, error) {
	if cgroups.IsCgroup2UnifiedMode() {
		r.CpuWeight = cgroups.ConvertCPUSharesToCgroupV2Value(r.CpuShares)
	}
	r.SkipDevices = true // devices are the runtime's to decide, per container
	m, err := manager.New(&cgroups.Cgroup{Path: path, Resources: r})
	if err != nil {
		return nil, fmt.Errorf("open cgroup %s: %w", path, err)
	}
	return m, nil
}

func create(path string, r *cgroups.Resources) error {
	m, err := open(path, r)
	if err != nil {
		return err
	}
	if err := m.Apply(-1); err != nil {
		return fmt.Errorf("create cgroup %s: %w", path, err)
	}
	if err := m.Set(r); err != nil {
		return fmt.Errorf("set limits of cgroup %s: %w", path, err)
	}
	return nil
}

// podResources are the limits of a pod as a whole. A kind of limit applies when every container has one.
func podResources(p *v1.Pod) *cgroups.Resources {
	requests := resourcehelper.PodRequests(p, resourcehelper.PodResourcesOptions{})
	limits := resourcehelper.PodLimits(p, resourcehelper.PodResourcesOptions{})
	r := &cgroups.Resources{CpuShares: Shares(requests.Cpu().MilliValue())}
	if allLimited(p, v1.ResourceCPU) {
		r.CpuQuota, r.CpuPeriod = Quota(limits.Cpu().MilliValue()), QuotaPeriod
	}
	if allLimited(p, v1.ResourceMemory) {
		r.Memory = limits.Memory().Value()
	}
	return r
}

func allLimited(p *v1.Pod, name v1.ResourceName) bool {
	if p.Spec.Resources != nil {
		if q, ok := p.Spec.Resources.Limits[name]; ok && !q.IsZero() {
			return true
		}
	}
	for _, list := range [][]v1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			if q := list[i].Resources.Limits[name]; q.IsZero() {
				return false
			}
		}
	}
	return true
}
