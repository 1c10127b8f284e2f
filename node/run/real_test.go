package run_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/client"
	"proa/node/pod"
)

// TestNode runs pods on a real runtime. The scenarios share one node, as pods do.
func TestNode(t *testing.T) {
	c := start(t)
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"a pod runs and ends", runsAndEnds},
		{"what a container prints and sees", printsAndSees},
		{"environment", environment},
		{"init containers run in order, a sidecar stays", initAndSidecar},
		{"a failing container backs off", backsOff},
		{"hooks", hooks},
		{"an image that is not there", missingImage},
		{"a missing config map is waited for", missingConfigMap},
		{"volumes that fail are tried again", failingVolumes},
		{"the deadline ends a pod", deadline},
		{"a failed liveness probe restarts", liveness},
		{"a shortened grace period hurries", shortened},
		{"security", security},
		{"a sandbox that dies is replaced", sandboxDies},
		{"the runtime restarts", runtimeRestarts},
		{"an ephemeral container joins", ephemeral},
		{"resources change in place", resizes},
		{"pods are deleted while they start", deletedWhileStarting},
		{"an agent restarts", agentRestarts},
		{"a pod vanishes while the agent is away", vanishes},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			c.TB = t
			scenario.run(t, c)
		})
	}
	c.TB = t
}

func runsAndEnds(t *testing.T, c *cluster) {
	c.create("quick", []string{"exit", "0", "all done"}, never)
	p := c.waitPhase("quick", v1.PodSucceeded)
	ended := p.Status.ContainerStatuses[0].State.Terminated
	if ended.Reason != "Completed" || ended.Message != "all done" || ended.ExitCode != 0 {
		t.Errorf("container ended as %+v", ended)
	}
	c.create("slow", []string{"wait"})
	p = c.waitReady("slow")
	if p.Status.PodIP != "192.0.2.7" || p.Status.QOSClass != v1.PodQOSBestEffort || p.Status.StartTime == nil {
		t.Errorf("status is %+v", p.Status)
	}
	c.delete("slow", 30)
	c.waitGone("slow")
	c.waitEvent("slow", "Killing: Stopping container main")
	want := []string{"Pulled", "Created", "Started", "Killing"}
	var got []string
	for _, line := range c.events("slow") {
		reason, _, _ := strings.Cut(line, ":")
		got = append(got, reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("events are %v, want %v", got, want)
	}
}

func printsAndSees(t *testing.T, c *cluster) {
	c.create("cat", []string{"cat", "/etc/hosts", "/etc/resolv.conf"}, never, func(p *v1.Pod) {
		p.Spec.HostAliases = []v1.HostAlias{{IP: "192.0.2.99", Hostnames: []string{"alias.example"}}}
		p.Spec.DNSPolicy = v1.DNSClusterFirstWithHostNet
	})
	p := c.waitPhase("cat", v1.PodSucceeded)
	log := c.log(p, "main")
	for _, want := range []string{"# Kubernetes-managed hosts file (host network).", "192.0.2.99\talias.example", "nameserver 10.96.0.10",
		"search default.svc.cluster.local svc.cluster.local cluster.local", "options ndots:5"} {
		if !strings.Contains(log, want) {
			t.Errorf("the container does not see %q in %q", want, log)
		}
	}
}

func environment(t *testing.T, c *cluster) {
	c.put("configmaps", &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "settings"}, Data: map[string]string{"COLOR": "blue", "a.b": "dotted"}})
	c.put("secrets", &v1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "keys"}, Data: map[string][]byte{"pin": []byte("1234")}})
	c.put("services", &v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "my-db"}, Spec: v1.ServiceSpec{
		ClusterIP: "10.96.0.42", ClusterIPs: []string{"10.96.0.42"}, Ports: []v1.ServicePort{{Port: 5432}}, Selector: map[string]string{"a": "b"}}})
	c.create("env", []string{"env"}, never, func(p *v1.Pod) {
		m := &p.Spec.Containers[0]
		m.Resources.Limits = v1.ResourceList{v1.ResourceCPU: resource.MustParse("1500m"), v1.ResourceMemory: resource.MustParse("64Mi")}
		m.EnvFrom = []v1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "settings"}}}}
		m.Env = []v1.EnvVar{
			{Name: "PIN", ValueFrom: &v1.EnvVarSource{SecretKeyRef: &v1.SecretKeySelector{LocalObjectReference: v1.LocalObjectReference{Name: "keys"}, Key: "pin"}}},
			{Name: "ME", ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
			{Name: "IP", ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "CPU", ValueFrom: &v1.EnvVarSource{ResourceFieldRef: &v1.ResourceFieldSelector{Resource: "limits.cpu"}}},
			{Name: "ALL", Value: "$(P_COLOR)-$(PIN)-$(MY_DB_SERVICE_HOST)-$(NONE)-$$(ME)"},
		}
	})
	p := c.waitPhase("env", v1.PodSucceeded)
	lines := strings.Split(c.log(p, "main"), "\n")
	for _, want := range []string{"P_COLOR=blue", "P_a.b=dotted", "PIN=1234", "ME=env", "IP=192.0.2.7", "CPU=2", "ALL=blue-1234-10.96.0.42-$(NONE)-$(ME)",
		"MY_DB_PORT_5432_TCP=tcp://10.96.0.42:5432"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is not in %q", want, lines)
		}
	}
}

func initAndSidecar(t *testing.T, c *cluster) {
	always := v1.ContainerRestartPolicyAlways
	c.create("ordered", []string{"exit", "0"}, never, func(p *v1.Pod) {
		p.Spec.InitContainers = []v1.Container{
			{Name: "first", Image: toolImage, Args: []string{"print", "one"}},
			{Name: "beside", Image: toolImage, Args: []string{"wait"}, RestartPolicy: &always},
			{Name: "second", Image: toolImage, Args: []string{"print", "two"}},
		}
	})
	p := c.waitPhase("ordered", v1.PodSucceeded)
	s := p.Status.InitContainerStatuses
	first, beside, second := s[0].State.Terminated, s[1].State.Terminated, s[2].State.Terminated
	if first == nil || beside == nil || second == nil {
		t.Fatalf("init containers are %+v", s)
	}
	if first.FinishedAt.After(second.StartedAt.Time) || beside.FinishedAt.Before(&second.FinishedAt) {
		t.Errorf("init containers ran out of order: %+v", s)
	}
}

func backsOff(t *testing.T, c *cluster) {
	c.create("crash", []string{"exit", "7"})
	p := c.wait("crash", "backing off", func(p *v1.Pod) bool {
		return p != nil && len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].State.Waiting != nil &&
			p.Status.ContainerStatuses[0].State.Waiting.Reason == pod.CrashLoopBackOff
	})
	s := p.Status.ContainerStatuses[0]
	if s.RestartCount != 1 || s.LastTerminationState.Terminated.ExitCode != 7 || p.Status.Phase != v1.PodRunning {
		t.Errorf("status is %+v", p.Status)
	}
	if want := "back-off 10s restarting failed container=main pod=" + pod.Describe(p); s.State.Waiting.Message != want {
		t.Errorf("message is %q, want %q", s.State.Waiting.Message, want)
	}
}

func hooks(t *testing.T, c *cluster) {
	c.create("hooked", []string{"wait"}, func(p *v1.Pod) {
		p.Spec.Containers[0].Lifecycle = &v1.Lifecycle{
			PostStart: &v1.LifecycleHandler{Exec: &v1.ExecAction{Command: []string{"/tool", "touch", "/started"}}},
			PreStop:   &v1.LifecycleHandler{Exec: &v1.ExecAction{Command: []string{"/tool", "exit", "1"}}},
		}
	})
	c.waitReady("hooked")
	c.delete("hooked", 20)
	c.waitGone("hooked")
	c.waitEvent("hooked", "FailedPreStopHook: PreStopHook failed")
}

func missingImage(t *testing.T, c *cluster) {
	c.create("imageless", nil, func(p *v1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, v1.Container{Name: "bad", Image: "BAD:NAME"})
		p.Spec.Containers[0].Image, p.Spec.Containers[0].ImagePullPolicy = "proa.local/none:1", v1.PullNever
	})
	p := c.wait("imageless", "refused", func(p *v1.Pod) bool {
		return p != nil && len(p.Status.ContainerStatuses) == 2 && waiting(p, 0) == "ErrImageNeverPull" && waiting(p, 1) == "InvalidImageName"
	})
	if p.Status.Phase != v1.PodPending {
		t.Errorf("phase is %s", p.Status.Phase)
	}
	c.waitEvent("imageless", `ErrImageNeverPull: Container image "proa.local/none:1" is not present with pull policy of Never`)
	c.delete("imageless", 30)
	c.waitGone("imageless")
}

func waiting(p *v1.Pod, i int) string {
	if w := p.Status.ContainerStatuses[i].State.Waiting; w != nil {
		return w.Reason
	}
	return ""
}

func missingConfigMap(t *testing.T, c *cluster) {
	c.create("patient", []string{"env"}, never, func(p *v1.Pod) {
		p.Spec.Containers[0].EnvFrom = []v1.EnvFromSource{{ConfigMapRef: &v1.ConfigMapEnvSource{LocalObjectReference: v1.LocalObjectReference{Name: "late"}}}}
	})
	p := c.wait("patient", "waiting", func(p *v1.Pod) bool {
		return p != nil && len(p.Status.ContainerStatuses) == 1 && waiting(p, 0) == "CreateContainerConfigError"
	})
	if got := p.Status.ContainerStatuses[0].State.Waiting.Message; got != `configmap "late" not found` {
		t.Errorf("message is %q", got)
	}
	c.put("configmaps", &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "late"}, Data: map[string]string{"HERE": "now"}})
	p = c.waitPhase("patient", v1.PodSucceeded)
	if !strings.Contains(c.log(p, "main"), "HERE=now") {
		t.Errorf("the container did not get the config map: %s", c.log(p, "main"))
	}
}

func failingVolumes(t *testing.T, c *cluster) {
	c.volumes.fail <- errVolume
	c.create("voluminous", []string{"exit", "0"}, never)
	c.waitPhase("voluminous", v1.PodSucceeded)
	c.waitEvent("voluminous", "FailedMount: "+errVolume.Error())
}

func deadline(t *testing.T, c *cluster) {
	c.create("late", []string{"wait"}, func(p *v1.Pod) { p.Spec.ActiveDeadlineSeconds = ptr(int64(1)) })
	p := c.waitPhase("late", v1.PodFailed)
	if p.Status.Reason != "DeadlineExceeded" || p.Status.Message != "Pod was active on the node longer than the specified deadline" {
		t.Errorf("status is %+v", p.Status)
	}
}

func liveness(t *testing.T, c *cluster) {
	c.create("lively", []string{"wait"}, func(p *v1.Pod) {
		p.Spec.Containers[0].LivenessProbe = &v1.Probe{ProbeHandler: v1.ProbeHandler{Exec: &v1.ExecAction{Command: []string{"/tool", "exit", "0"}}}}
	})
	p := c.waitReady("lively")
	before := p.Status.ContainerStatuses[0].ContainerID
	c.probes <- pod.ProbeResult{PodUID: p.UID, Container: "main", ContainerID: strings.TrimPrefix(before, "containerd://"), Kind: pod.Liveness, Message: "dead"}
	c.wait("lively", "restarted", func(p *v1.Pod) bool {
		s := p.Status.ContainerStatuses[0]
		return s.RestartCount == 1 && s.State.Running != nil && s.ContainerID != before
	})
	c.waitEvent("lively", "Killing: Container main failed liveness probe, will be restarted")
}

func shortened(t *testing.T, c *cluster) {
	c.create("stubborn", []string{"wait", "3600"})
	c.waitReady("stubborn")
	c.delete("stubborn", 3000)
	c.waitEvent("stubborn", "Killing: Stopping container main")
	c.delete("stubborn", 1)
	c.waitGone("stubborn")
}

func security(t *testing.T, c *cluster) {
	c.create("plain", []string{"id"}, never, func(p *v1.Pod) {
		p.Spec.SecurityContext = &v1.PodSecurityContext{RunAsUser: ptr(int64(1000)), RunAsGroup: ptr(int64(2000)), FSGroup: ptr(int64(3000)), SupplementalGroups: []int64{4000}}
	})
	p := c.waitPhase("plain", v1.PodSucceeded)
	if got := c.log(p, "main"); !strings.HasPrefix(got, "1000 2000 [2000 3000 4000]") {
		t.Errorf("the container ran as %q", got)
	}
	c.create("readonly", []string{"touch", "/x"}, never, func(p *v1.Pod) {
		p.Spec.Containers[0].SecurityContext = &v1.SecurityContext{ReadOnlyRootFilesystem: ptr(true), RunAsUser: ptr(int64(0))}
	})
	c.waitPhase("readonly", v1.PodFailed)
	c.create("rooted", []string{"id"}, never, func(p *v1.Pod) {
		p.Spec.Containers[0].SecurityContext = &v1.SecurityContext{RunAsNonRoot: ptr(true)}
	})
	p = c.wait("rooted", "refused", func(p *v1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && waiting(p, 0) == "CreateContainerConfigError"
	})
	if got := p.Status.ContainerStatuses[0].State.Waiting.Message; !strings.HasPrefix(got, "container has runAsNonRoot and image will run as root") {
		t.Errorf("message is %q", got)
	}
}

func sandboxDies(t *testing.T, c *cluster) {
	c.create("boxed", []string{"wait"})
	before := c.waitReady("boxed")
	served, ok := c.runner.Pod("default", "boxed")
	if !ok || served.SandboxID == "" || len(served.Containers) != 1 || !served.Containers[0].Running {
		t.Fatalf("the pod is served as %+v", served)
	}
	if _, err := c.runtime.Containers.StopPodSandbox(t.Context(), &runtimeapi.StopPodSandboxRequest{PodSandboxId: served.SandboxID}); err != nil {
		t.Fatal(err)
	}
	after := c.wait("boxed", "restarted", func(p *v1.Pod) bool {
		s := p.Status.ContainerStatuses[0]
		return s.RestartCount > 0 && s.State.Running != nil && s.Ready
	})
	if after.Status.ContainerStatuses[0].ContainerID == before.Status.ContainerStatuses[0].ContainerID {
		t.Errorf("the container is the same: %+v", after.Status)
	}
	c.waitEvent("boxed", "SandboxChanged: Pod sandbox changed, it will be killed and re-created.")
}

func runtimeRestarts(t *testing.T, c *cluster) {
	c.create("lasting", []string{"wait"})
	c.create("leaving", []string{"wait"})
	before := c.waitReady("lasting")
	c.waitReady("leaving")
	if err := c.runtime.Runtime.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.delete("leaving", 30)
	c.create("coming", []string{"wait"})
	if err := c.runtime.Runtime.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.waitGone("leaving")
	c.waitReady("coming")
	if b, a := before.Status.ContainerStatuses[0], c.pod("lasting").Status.ContainerStatuses[0]; a.ContainerID != b.ContainerID || a.RestartCount != 0 || !a.Ready {
		t.Errorf("container was %+v, is %+v", b, a)
	}
	// Events flow again: nothing else tells of an exit this soon.
	c.create("ending", []string{"exit", "0"}, never)
	c.waitPhase("ending", v1.PodSucceeded)
}

func ephemeral(t *testing.T, c *cluster) {
	c.create("debugged", []string{"wait"})
	p := c.waitReady("debugged").DeepCopy()
	p.Spec.EphemeralContainers = []v1.EphemeralContainer{{
		EphemeralContainerCommon: v1.EphemeralContainerCommon{Name: "debug", Image: toolImage, Args: []string{"print", "hello"}}, TargetContainerName: "main",
	}}
	if _, err := c.client.Update(t.Context(), client.RefOf("pods", p), "ephemeralcontainers", p, metav1.UpdateOptions{}); err != nil {
		t.Skipf("the fake API has no ephemeral containers: %v", err)
	}
	p = c.wait("debugged", "debugged", func(p *v1.Pod) bool {
		s := p.Status.EphemeralContainerStatuses
		return len(s) == 1 && s[0].State.Terminated != nil
	})
	if c.log(p, "debug") != "hello\n" || condition(p, v1.PodReady) != v1.ConditionTrue {
		t.Errorf("status is %+v", p.Status)
	}
}

func resizes(t *testing.T, c *cluster) {
	limits := func(cpu, memory string) v1.ResourceRequirements {
		list := v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory)}
		return v1.ResourceRequirements{Requests: list, Limits: list.DeepCopy()}
	}
	c.create("growing", []string{"wait"}, func(p *v1.Pod) { p.Spec.Containers[0].Resources = limits("200m", "64Mi") })
	before := c.waitReady("growing")
	for _, to := range []v1.ResourceRequirements{limits("400m", "128Mi"), limits("100m", "96Mi")} {
		p := c.pod("growing").DeepCopy()
		p.Spec.Containers[0].Resources = to
		if _, err := c.client.Update(t.Context(), client.RefOf("pods", p), "resize", p, metav1.UpdateOptions{}); err != nil {
			t.Skipf("the API in memory has no resize: %v", err)
		}
		p = c.wait("growing", "resized", func(p *v1.Pod) bool {
			s := p.Status.ContainerStatuses[0]
			return s.Resources.Limits.Cpu().Cmp(*to.Limits.Cpu()) == 0
		})
		if got := p.Status.ContainerStatuses[0]; got.ContainerID != before.Status.ContainerStatuses[0].ContainerID {
			t.Errorf("the container was restarted: %+v", got)
		}
		id := strings.TrimPrefix(p.Status.ContainerStatuses[0].ContainerID, "containerd://")
		status, err := c.runtime.Containers.ContainerStatus(t.Context(), &runtimeapi.ContainerStatusRequest{ContainerId: id})
		if err != nil {
			t.Fatal(err)
		}
		linux := status.Status.Resources.Linux
		if linux.CpuQuota != to.Limits.Cpu().MilliValue()*100 || linux.MemoryLimitInBytes != to.Limits.Memory().Value() {
			t.Errorf("the runtime has %+v", linux)
		}
	}
}

func agentRestarts(t *testing.T, c *cluster) {
	c.create("survivor", []string{"wait"})
	before := c.waitReady("survivor")
	c.stop()
	c.startAgent()
	c.create("newcomer", []string{"wait"})
	c.waitReady("newcomer")
	after := c.pod("survivor")
	if b, a := before.Status.ContainerStatuses[0], after.Status.ContainerStatuses[0]; a.ContainerID != b.ContainerID || a.RestartCount != 0 || !a.Ready {
		t.Errorf("container was %+v, is %+v", b, a)
	}
	c.delete("survivor", 30)
	c.waitGone("survivor")
}

func vanishes(t *testing.T, c *cluster) {
	c.create("ghost", []string{"wait"})
	ghost := c.waitReady("ghost")
	c.stop()
	c.delete("ghost", 0)
	c.waitGone("ghost")
	c.startAgent()
	c.waitFor("containers of the pod that vanished to go", func() bool { return c.containers(string(ghost.UID)) == 0 })
}

// deletedWhileStarting deletes each of many pods in the moment its container is being started.
func deletedWhileStarting(t *testing.T, c *cluster) {
	const pods = 10
	before := len(c.runner.Pods())
	deletes := make(chan string, pods)
	starting := func(id string) {
		status, err := c.runtime.Containers.ContainerStatus(context.Background(), &runtimeapi.ContainerStatusRequest{ContainerId: id})
		if name := status.GetStatus().GetLabels()["io.kubernetes.pod.name"]; err == nil && strings.HasPrefix(name, "storm-") {
			deletes <- name
		}
	}
	c.starting.Store(&starting)
	defer c.starting.Store(nil)
	for i := range pods {
		c.create(fmt.Sprint("storm-", i), []string{"wait"})
	}
	deleted := map[string]types.UID{}
	for len(deleted) < pods {
		select {
		case name := <-deletes:
			if deleted[name] == "" {
				deleted[name] = c.pod(name).UID
				c.delete(name, 0)
			}
		case <-time.After(patience):
			t.Fatalf("only %d of %d pods began to start", len(deleted), pods)
		}
	}
	c.waitFor("the pods to leave the node", func() bool { return len(c.runner.Pods()) <= before })
	if n := c.cutOff.Load(); n > 0 {
		t.Errorf("%d starts were cut off", n)
	}
	for name, uid := range deleted {
		groups, err := filepath.Glob("/sys/fs/cgroup/*" + c.cgroups.Path(&v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}}))
		if err != nil || len(groups) > 0 {
			t.Errorf("groups of pod %s are left: %v %v", name, groups, err)
		}
	}
}
