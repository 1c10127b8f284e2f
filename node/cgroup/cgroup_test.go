package cgroup_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/node/cgroup"
)

func podWith(requests, limits v1.ResourceList) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "1234"}, Spec: v1.PodSpec{Containers: []v1.Container{
		{Name: "a", Resources: v1.ResourceRequirements{Requests: requests, Limits: limits}},
	}}}
}

func TestPath(t *testing.T) {
	cpu := v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}
	both := v1.ResourceList{v1.ResourceCPU: resource.MustParse("1"), v1.ResourceMemory: resource.MustParse("1Gi")}
	groups := cgroup.New("kubepods")
	for want, p := range map[string]*v1.Pod{
		"/kubepods/besteffort/pod1234": podWith(nil, nil),
		"/kubepods/burstable/pod1234":  podWith(cpu, nil),
		"/kubepods/pod1234":            podWith(both, both),
	} {
		if got := groups.Path(p); got != want {
			t.Errorf("path is %s, want %s", got, want)
		}
	}
}

// realGroups are groups of the test's own, in the kernel.
func realGroups(t *testing.T) *cgroup.Groups {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("control groups need root")
	}
	groups := cgroup.New(fmt.Sprintf("/proatest-cgroup-%d", os.Getpid()))
	if err := groups.Prepare(); err != nil {
		t.Skipf("no control groups can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := groups.RemoveAll(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return groups
}

// TestRemoveKills leaves a process in a pod's group, in one hierarchy only, as a start that was cut off does.
func TestRemoveKills(t *testing.T) {
	groups := realGroups(t)
	p := podWith(nil, nil)
	if err := groups.Ensure(p); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob("/sys/fs/cgroup/*" + groups.Path(p))
	if cgroups.IsCgroup2UnifiedMode() {
		left = []string{"/sys/fs/cgroup" + groups.Path(p)}
	}
	if len(left) == 0 {
		t.Fatal("the pod has no group")
	}
	inside := filepath.Join(left[0], "container")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	stray := exec.Command("sleep", "1000")
	if err := stray.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stray.Wait() }()
	if err := os.WriteFile(filepath.Join(inside, "cgroup.procs"), []byte(fmt.Sprint(stray.Process.Pid)), 0o644); err != nil {
		stray.Process.Kill()
		t.Fatal(err)
	}
	if err := groups.Remove(t.Context(), p.UID); err != nil {
		stray.Process.Kill()
		t.Fatal(err)
	}
	if err := <-ended; err == nil || err.Error() != "signal: killed" {
		t.Errorf("the process ended with %v", err)
	}
	if _, err := os.Stat(left[0]); !os.IsNotExist(err) {
		t.Errorf("the group is left: %v", err)
	}
}

// TestLimits makes real groups and reads back what the kernel keeps.
func TestLimits(t *testing.T) {
	groups := realGroups(t)
	limits := v1.ResourceList{v1.ResourceCPU: resource.MustParse("500m"), v1.ResourceMemory: resource.MustParse("64Mi")}
	p := podWith(v1.ResourceList{v1.ResourceCPU: resource.MustParse("250m")}, limits)
	for range 2 { // the second time it is there already
		if err := groups.Ensure(p); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"cpu/cpu.shares": "256", "cpu/cpu.cfs_quota_us": "50000", "memory/memory.limit_in_bytes": "67108864"}
	if cgroups.IsCgroup2UnifiedMode() {
		want = map[string]string{"cpu.max": "50000 100000", "memory.max": "67108864"}
	}
	for file, value := range want {
		controller, name := filepath.Split(file)
		got, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", controller, groups.Path(p), name))
		if err != nil || strings.TrimSpace(string(got)) != value {
			t.Errorf("%s is %q, want %s (%v)", file, got, value, err)
		}
	}
	for range 2 { // removing what is gone is fine
		if err := groups.Remove(t.Context(), p.UID); err != nil {
			t.Fatal(err)
		}
	}
	left, _ := filepath.Glob("/sys/fs/cgroup/*" + groups.Path(p))
	if len(left) > 0 {
		t.Errorf("groups are left: %v", left)
	}
}
