package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"proa/test/kubeapi"
)

//go:embed cluster.yaml
var clusterManifest string

const peerImage = "bench-peer:1"

// cluster is a running cluster of two nodes; this process stands on the first.
type cluster struct {
	*client
	options
	data, kubeconfig string
	first, second    string // the nodes' names
	out              report
}

// measureCluster starts two nodes and measures what takes more than one: bursts of pods, Services, the front door, scaling.
func measureCluster(ctx context.Context, o options, out report) (err error) {
	c := &cluster{options: o, out: out, data: filepath.Join(o.work, "data"), kubeconfig: filepath.Join(o.work, "kubeconfig")}
	if err := c.proaVerb("up", "--detach", "--nodes", "2"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, uninstall(o.proa, c.data)) }()
	if c.client, err = newClient(c.kubeconfig); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{c.prepare, c.burst, c.service, c.frontDoor, c.autoscaler} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// proaVerb runs a verb of the measured program on the cluster's data directory.
func (c *cluster) proaVerb(verb string, args ...string) error {
	args = append([]string{verb, "--data-dir", c.data, "--kubeconfig", c.kubeconfig}, args...)
	if text, err := exec.Command(c.proa, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("proa %s: %w: %s", verb, err, text)
	}
	return nil
}

// prepare loads the image, applies the manifest with the name of the second node, and waits for its pods.
func (c *cluster) prepare(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := c.list(ctx, target{"nodes", ""}, "", &nodes); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(nodes.Items) != 2 {
		return fmt.Errorf("list nodes: %d, not 2", len(nodes.Items))
	}
	c.first, c.second = nodes.Items[0].Name, nodes.Items[1].Name
	if address(&nodes.Items[1]) == nodeAddress {
		c.first, c.second = c.second, c.first
	}
	// The package's path: the benchmark is run from the repository's root.
	if text, err := exec.Command(c.proa, "image", "build", "test/bench/peer", "-t", peerImage, "--data-dir", c.data).CombinedOutput(); err != nil {
		return fmt.Errorf("build image: %w: %s", err, text)
	}
	if err := c.namespace(ctx, benchPods.namespace); err != nil {
		return err
	}
	apply := exec.Command(c.proa, "kubectl", "--kubeconfig", c.kubeconfig, "apply", "-f", "-")
	apply.Stdin = strings.NewReader(strings.ReplaceAll(clusterManifest, "%NODE%", c.second))
	if text, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("apply: %w: %s", err, text)
	}
	for _, app := range []string{"peer", "busy"} {
		if _, err := c.podsOf(ctx, app, 1); err != nil {
			return err
		}
	}
	return nil
}

func address(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// podsOf returns the ready pods of an app, as soon as there are so many.
func (c *cluster) podsOf(ctx context.Context, app string, want int) (ready []corev1.Pod, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = kubeapi.Until(ctx, 10*time.Millisecond, func() error {
		var pods corev1.PodList
		if err := c.list(ctx, benchPods, labels.Set{"app": app}.String(), &pods); err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		ready = ready[:0]
		for _, p := range pods.Items {
			for _, condition := range p.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
					ready = append(ready, p)
				}
			}
		}
		if len(ready) < want {
			return fmt.Errorf("%d of %d pods of %s are ready", len(ready), want, app)
		}
		return nil
	})
	return ready, err
}

// burst starts many pods on two nodes.
func (c *cluster) burst(ctx context.Context) error {
	w, err := c.watch(ctx, benchPods, "")
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	return burst(ctx, c.client, w, c.out)
}

// measuredBy runs the program of the peer image on a node to its end, and returns the figure that it left.
func (c *cluster) measuredBy(ctx context.Context, name, node string, args ...string) (float64, error) {
	w, err := c.watch(ctx, benchPods, "")
	if err != nil {
		return 0, fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		NodeSelector: map[string]string{corev1.LabelHostname: node}, RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{Name: "peer", Image: peerImage, ImagePullPolicy: corev1.PullNever, Args: args}},
	}}
	if err := c.create(ctx, benchPods, pod, &corev1.Pod{}); err != nil {
		return 0, fmt.Errorf("create pod %s: %w", name, err)
	}
	for e := range w.ResultChan() {
		seen, ok := e.Object.(*corev1.Pod)
		if !ok || seen.Name != name || seen.Status.Phase != corev1.PodSucceeded && seen.Status.Phase != corev1.PodFailed {
			continue
		}
		message := seen.Status.ContainerStatuses[0].State.Terminated.Message
		value, err := strconv.ParseFloat(message, 64)
		if err != nil {
			return 0, fmt.Errorf("pod %s left no figure: %s %q", name, seen.Status.Phase, message)
		}
		return value, c.remove(ctx, benchPods, name)
	}
	return 0, fmt.Errorf("pod %s: the watch ended", name)
}

// program finds a program of the distribution, or says how to get it.
func program(name, why string) (string, error) {
	found, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("needs %s, %s: apt-get install %s: %w", name, why, name, os.ErrNotExist)
	}
	return found, err
}
