package daemon

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"proa/kinds"
	"proa/kinds/podspec"
	"proa/ops/join"
)

// statusTimeout bounds how long Status waits for an API that does not answer.
const statusTimeout = 5 * time.Second

// Status prints one screen: the processes, the nodes, the pods that are not well, and what to do.
func Status(ctx context.Context, cfg *Config, out io.Writer) error {
	if err := cfg.Default(); err != nil {
		return err
	}
	pid := Running(cfg.RunDir)
	if node, setting, ok := join.Member(filepath.Join(cfg.DataDir, "node")); ok {
		return agentStatus(cfg, pid, node, setting, out)
	}
	if pid == 0 {
		if _, err := os.Stat(cfg.DataDir); err != nil {
			fmt.Fprintf(out, "no cluster in %s. Start one with: proa up --detach\n", cfg.DataDir)
			return nil
		}
		fmt.Fprintf(out, "the cluster in %s does not run. Start it with: proa up --detach\n", cfg.DataDir)
		return nil
	}
	fmt.Fprintf(out, "process   %d, data in %s\n", pid, cfg.DataDir)
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	api, err := coreClient(cfg.Kubeconfig)
	if err != nil {
		return err
	}
	var nodes v1.NodeList
	if err := api.Get().Resource("nodes").Do(ctx).Into(&nodes); err != nil {
		fmt.Fprintf(out, "api       does not answer: %v\n          look into %s/log/proa.log\n", err, cfg.DataDir)
		return nil
	}
	fmt.Fprintf(out, "api       %s\n", cfg.apiURL())
	var pods v1.PodList
	if err := api.Get().Resource("pods").Do(ctx).Into(&pods); err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	advice := printNodes(out, &nodes)
	advice = append(advice, printPods(out, &pods)...)
	if len(advice) == 0 {
		fmt.Fprintln(out, "all is well")
		return nil
	}
	fmt.Fprintln(out, "\nwhat to do:")
	for _, line := range advice {
		fmt.Fprintln(out, "  "+line)
	}
	return nil
}

// agentStatus is all that a node knows by itself: its identity may not list the cluster's pods.
func agentStatus(cfg *Config, pid int, node string, setting join.NodeSetting, out io.Writer) error {
	if pid == 0 {
		fmt.Fprintf(out, "node %s does not run. Start it with: proa agent --server URL\n", node)
		return nil
	}
	fmt.Fprintf(out, "process   %d, data in %s\n", pid, cfg.DataDir)
	fmt.Fprintf(out, "node      %s, address %s, pods %s\n", node, setting.Address, setting.PodRange)
	r, err := bundledRuntime(cfg)
	if err != nil {
		return err
	}
	if _, err := os.Stat(r.Socket()); err == nil {
		fmt.Fprintln(out, "runtime   containerd at", r.Socket())
	}
	fmt.Fprintln(out, "the cluster is served elsewhere: proa status there shows it")
	return nil
}

// coreClient talks to the core group over HTTPS.
func coreClient(kubeconfig string) (*rest.RESTClient, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	scheme := kinds.NewScheme()
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType = runtime.ContentTypeProtobuf
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return client, nil
}

// printNodes shows each node and returns what to do about those that are not ready.
func printNodes(out io.Writer, nodes *v1.NodeList) (advice []string) {
	if len(nodes.Items) == 0 {
		return []string{"no node has joined: start one with proa up, or proa agent on another machine"}
	}
	for i := range nodes.Items {
		n := &nodes.Items[i]
		state := "NotReady"
		for _, c := range n.Status.Conditions {
			switch {
			case c.Type == v1.NodeReady && c.Status == v1.ConditionTrue:
				state = "Ready"
			case c.Type == v1.NodeReady:
				advice = append(advice, fmt.Sprintf("node %s is not ready: %s", n.Name, c.Message))
			case c.Status == v1.ConditionTrue:
				advice = append(advice, fmt.Sprintf("node %s reports %s: %s", n.Name, c.Type, c.Message))
			}
		}
		if n.Spec.Unschedulable {
			state += ", cordoned"
			advice = append(advice, fmt.Sprintf("node %s takes no new pods: proa kubectl uncordon %s", n.Name, n.Name))
		}
		fmt.Fprintf(out, "node      %s: %s, %s\n", n.Name, state, n.Status.NodeInfo.ContainerRuntimeVersion)
	}
	return advice
}

// printPods counts the pods, lists those that are not well and returns what to do about them.
func printPods(out io.Writer, pods *v1.PodList) (advice []string) {
	well := 0
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for i := range pods.Items {
		p := &pods.Items[i]
		reason := whatIsWrong(p)
		if reason == "" {
			well++
			continue
		}
		fmt.Fprintf(w, "pod\t%s/%s\t%s\n", p.Namespace, p.Name, reason)
		advice = append(advice, fmt.Sprintf("proa kubectl -n %s describe pod %s", p.Namespace, p.Name))
	}
	fmt.Fprintf(out, "pods      %d of %d are well\n", well, len(pods.Items))
	w.Flush()
	return advice
}

// whatIsWrong says why a pod does not do its work, "" if it does or has done it.
func whatIsWrong(p *v1.Pod) string {
	if p.Status.Phase == v1.PodSucceeded || podspec.IsReady(p) {
		return ""
	}
	for _, statuses := range [][]v1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, s := range statuses {
			if w := s.State.Waiting; w != nil && w.Message != "" {
				return strings.TrimSpace(w.Reason + ": " + w.Message)
			}
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status == v1.ConditionFalse && c.Message != "" {
			return c.Message
		}
	}
	return string(p.Status.Phase)
}
