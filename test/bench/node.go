package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"proa/test/kubeapi"
)

// sandboxImage is the image that every node of Proa has: nothing needs to be pulled or loaded.
const sandboxImage = "proa.local/pause:1"

const idlePeriod = 60 * time.Second

// measureNode starts a whole cluster of one node, lets it idle, and then starts pods on it.
func measureNode(ctx context.Context, o options, out report) (err error) {
	data, kubeconfig := filepath.Join(o.work, "data"), filepath.Join(o.work, "kubeconfig")
	begin := time.Now()
	up, err := kubeapi.Start(filepath.Join(o.work, "up.log"), o.proa, "up", "--data-dir", data, "--kubeconfig", kubeconfig)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, uninstall(o.proa, data)) }()
	defer func() { err = errors.Join(err, up.Stop()) }()
	c, err := boot(ctx, kubeconfig, begin, out)
	if err != nil {
		return up.Why(err)
	}
	if err := idle(ctx, up, out); err != nil {
		return up.Why(err)
	}
	if err := floor(ctx, o.work, out); err != nil {
		return up.Why(err)
	}
	return up.Why(startPods(ctx, c, out))
}

// uninstall takes away what namespaces do not: control groups.
func uninstall(program, data string) error {
	if text, err := exec.Command(program, "uninstall", "--data-dir", data).CombinedOutput(); err != nil {
		return fmt.Errorf("uninstall: %w: %s", err, text)
	}
	return nil
}

// boot takes the times since exec: API ready, node Ready, and a pod Running that was created as soon as the API took it.
func boot(ctx context.Context, kubeconfig string, begin time.Time, out report) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := kubeapi.UntilReady(ctx, "https://"+nodeAddress+":6443"); err != nil {
		return nil, err
	}
	out("node.api", time.Since(begin).Seconds())
	c, err := newClient(kubeconfig)
	if err != nil {
		return nil, err
	}
	nodes, err := c.watch(ctx, target{"nodes", ""}, "")
	if err != nil {
		return nil, fmt.Errorf("watch nodes: %w", err)
	}
	defer nodes.Stop()
	if err := c.namespace(ctx, benchPods.namespace); err != nil {
		return nil, err
	}
	pods, err := c.watch(ctx, benchPods, "")
	if err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	defer pods.Stop()
	if err := c.create(ctx, benchPods, idlePod("first"), &corev1.Pod{}); err != nil {
		return nil, fmt.Errorf("create pod: %w", err)
	}
	for node := (watch.Event{}); !nodeReady(node); {
		var open bool
		if node, open = <-nodes.ResultChan(); !open {
			return nil, errors.New("the node is not Ready")
		}
	}
	// The pod may have been seen Running only after the node was Ready, so the order of waiting changes neither time.
	out("node.ready", time.Since(begin).Seconds())
	if _, err := awaitPod(pods, "first", running); err != nil {
		return nil, err
	}
	out("node.pod", time.Since(begin).Seconds())
	if err := c.remove(ctx, benchPods, "first"); err != nil {
		return nil, fmt.Errorf("delete pod: %w", err)
	}
	_, err = awaitPod(pods, "first", gone)
	return c, err
}

func nodeReady(e watch.Event) bool {
	node, ok := e.Object.(*corev1.Node)
	if !ok {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// idle takes memory and CPU of a cluster that nobody uses. The container runtime is counted apart.
func idle(ctx context.Context, up *kubeapi.Process, out report) error {
	time.Sleep(5 * time.Second) // what starting left to do
	groups := []struct {
		id   string
		pids []int
	}{{"", []int{up.Pid()}}, {".containerd", named("containerd")}}
	before := make([]time.Duration, len(groups))
	var err error
	for i, g := range groups {
		if before[i], err = cpuTime(g.pids...); err != nil {
			return err
		}
	}
	begin := time.Now()
	select {
	case <-time.After(idlePeriod):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, g := range groups {
		after, err := cpuTime(g.pids...)
		if err != nil {
			return err
		}
		out("node.cpu"+g.id, 100*(after-before[i]).Seconds()/time.Since(begin).Seconds())
		memory, err := privateMemory(g.pids...)
		if err != nil {
			return err
		}
		out("node.memory"+g.id, memory)
	}
	return nil
}

// idlePod is a pod whose one program waits.
func idlePod(name string) *corev1.Pod {
	grace := int64(1)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers:                    []corev1.Container{{Name: "main", Image: sandboxImage, ImagePullPolicy: corev1.PullNever}},
		},
	}
}

// socket is the container runtime's, in these namespaces.
func socket() (string, error) {
	found, _ := filepath.Glob("/run/proa*/containerd/containerd.sock") // the pattern is well formed
	if len(found) != 1 {
		return "", fmt.Errorf("find the container runtime: %d sockets: %w", len(found), os.ErrNotExist)
	}
	return found[0], nil
}
