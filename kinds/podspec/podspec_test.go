package podspec_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"proa/kinds/meta"
	"proa/kinds/podspec"
)

// TestQuestions runs scripts of what others ask of a pod: resources, readiness, restart.
func TestQuestions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			pod := &corev1.Pod{}
			if err := yaml.UnmarshalStrict([]byte(d.Input), pod); err != nil {
				t.Fatalf("%s: %v", d.Pos, err)
			}
			podspec.DefaultPod(pod)
			switch d.Cmd {
			case "resources":
				return fmt.Sprintf("%s\nrequests%s\nlimits%s\n", podspec.QOSClass(pod), list(podspec.Requests(pod)), list(podspec.Limits(pod)))
			case "ready":
				seconds := 0
				d.MaybeScanArgs(t, "min", &seconds)
				return fmt.Sprintf("ready %v, available %v, in %s\n", podspec.IsReady(pod),
					podspec.IsAvailable(pod, int32(seconds), now), podspec.AvailableIn(pod, int32(seconds), now))
			case "restart":
				var b strings.Builder
				for c := range podspec.Containers(&pod.Spec) {
					fmt.Fprintf(&b, "%s: after 0 %v, after 1 %v, after 42 %v\n", c.Name,
						podspec.ShouldRestart(&pod.Spec, c, 0), podspec.ShouldRestart(&pod.Spec, c, 1), podspec.ShouldRestart(&pod.Spec, c, 42))
				}
				return b.String()
			}
			t.Fatalf("%s: no such command: %s", d.Pos, d.Cmd)
			return ""
		})
	})
}

func list(resources corev1.ResourceList) string {
	var b strings.Builder
	for _, name := range meta.Sorted(resources) {
		quantity := resources[name]
		fmt.Fprintf(&b, " %s=%s", name, quantity.String())
	}
	return b.String()
}

func TestFindContainer(t *testing.T) {
	spec := &corev1.PodSpec{
		InitContainers:      []corev1.Container{{Name: "i"}},
		Containers:          []corev1.Container{{Name: "r"}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e"}}},
	}
	for name, want := range map[string]podspec.ContainerType{"i": podspec.InitContainer, "r": podspec.RegularContainer, "e": podspec.EphemeralContainer} {
		c, kind := podspec.FindContainer(spec, name)
		if c == nil || c.Name != name || kind != want {
			t.Errorf("%s: got %v of type %d", name, c, kind)
		}
	}
	if c, _ := podspec.FindContainer(spec, "none"); c != nil {
		t.Error("found a container that is not there")
	}
	c, _ := podspec.FindContainer(spec, "e")
	c.Image = "changed"
	if spec.EphemeralContainers[0].Image != "changed" {
		t.Error("an ephemeral container that is found is a copy")
	}
}

func TestSysctlNamespace(t *testing.T) {
	for name, want := range map[string]string{
		"net.core.somaxconn": "Net", "net/ipv4/conf/eth0.1/rp_filter": "Net", "kernel.shmmax": "IPC", "kernel/msgmax": "IPC",
		"fs.mqueue.msg_max": "IPC", "kernel.pid_max": "", "network.x": "",
	} {
		if got := podspec.SysctlNamespace(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if !podspec.IsSafeSysctl("net/ipv4/tcp_syncookies") || podspec.IsSafeSysctl("net.core.somaxconn") {
		t.Error("safe sysctls are not upstream's")
	}
}

func TestSplitSubscript(t *testing.T) {
	for path, want := range map[string]string{
		"metadata.labels['a/b']": "metadata.labels a/b true", "metadata.labels": "metadata.labels  false", "['a']": "['a']  false", "x']": "x']  false",
	} {
		name, subscript, ok := podspec.SplitSubscript(path)
		if got := fmt.Sprintf("%s %s %v", name, subscript, ok); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestPullPolicy(t *testing.T) {
	for image, want := range map[string]corev1.PullPolicy{
		"nginx": corev1.PullAlways, "nginx:latest": corev1.PullAlways, "nginx:1": corev1.PullIfNotPresent,
		"registry:5000/a/b": corev1.PullAlways, "registry:5000/a/b:2": corev1.PullIfNotPresent, "localhost/a": corev1.PullAlways,
		"nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000": corev1.PullIfNotPresent,
		// What is no name of an image is left to the node, which will say so.
		"": corev1.PullIfNotPresent, "Upper": corev1.PullIfNotPresent, "/x": corev1.PullIfNotPresent, "a b": corev1.PullIfNotPresent,
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: image}}}}
		podspec.DefaultPod(pod)
		if got := pod.Spec.Containers[0].ImagePullPolicy; got != want {
			t.Errorf("%q: got %s, want %s", image, got, want)
		}
	}
}
