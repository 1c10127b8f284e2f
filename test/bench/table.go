package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// row is one line of the table: what the goals name, or what helps to read them.
type row struct {
	what   string
	format string // of a figure, with its unit
	ours   string // id of Proa's figure
	theirs string // id of the figure that it is compared with; empty: none
	more   bool   // more is better
	goal   string // the first of the goals
}

// rows is the table, in order. A figure of upstream's API server is named like Proa's.
var rows = []row{
	{what: "proa up: exec to API ready", format: "%.2f s", ours: "node.api", goal: "1 s"},
	{what: "proa up: exec to node Ready", format: "%.2f s", ours: "node.ready", goal: "2 s"},
	{what: "proa up: exec to first pod Running", format: "%.2f s", ours: "node.pod", goal: "3 s"},
	{what: "private memory, idle, server + agent", format: "%.1f MiB", ours: "node.memory", goal: "64 MiB"},
	{what: "  containerd and its shims", format: "%.1f MiB", ours: "node.memory.containerd"},
	{what: "CPU, idle for 60 s, server + agent", format: "%.2f %%", ours: "node.cpu", goal: "2 %"},
	{what: "  containerd and its shims", format: "%.2f %%", ours: "node.cpu.containerd"},
	{what: "pod start, create call to Running, p50", format: "%.0f ms", ours: "pod.p50", theirs: "floor.all", goal: "2x the CRI calls"},
	{what: "pod start, p99", format: "%.0f ms", ours: "pod.p99"},
	{what: "  RunPodSandbox alone, median", format: "%.0f ms", ours: "floor.sandbox"},
	{what: "  CreateContainer alone", format: "%.0f ms", ours: "floor.create"},
	{what: "  StartContainer alone", format: "%.0f ms", ours: "floor.start"},
	{what: "burst of 50 pods on two nodes until all Running", format: "%.1f s", ours: "burst.running", goal: "4 s"},
	{what: "  until all are gone", format: "%.1f s", ours: "burst.gone"},
	{what: "pod to pod on another node", format: "%.0f MiB/s", ours: "direct.stream"},
	{what: "  pod to Service", format: "%.0f MiB/s", ours: "service.stream", theirs: "direct.stream", more: true},
	{what: "  node to Service", format: "%.0f MiB/s", ours: "node.stream", theirs: "direct.stream", more: true},
	{what: "pod to pod on another node, connections", format: "%.0f/s", ours: "direct.dial"},
	{what: "  pod to Service", format: "%.0f/s", ours: "service.dial", theirs: "direct.dial", more: true},
	{what: "  node to Service", format: "%.0f/s", ours: "node.dial", theirs: "direct.dial", more: true},
	{what: "front door, 32 clients", format: "%.0f/s", ours: "ingress", theirs: "haproxy", more: true},
	{what: "  p99", format: "%.1f ms", ours: "ingress.p99", theirs: "haproxy.p99"},
	{what: "autoscaler: load to second pod Ready", format: "%.1f s", ours: "autoscaler"},
	{what: "control plane alone: exec to ready", format: "%.2f s", ours: "proa.boot", theirs: "upstream.boot"},
	{what: "  private memory, empty", format: "%.1f MiB", ours: "proa.memory.idle", theirs: "upstream.memory.idle"},
	{what: "  private memory, 5,000 pods written and read", format: "%.1f MiB", ours: "proa.memory.full", theirs: "upstream.memory.full"},
	{what: "  memory per pod", format: "%.1f KiB", ours: "proa.memory.pod", theirs: "upstream.memory.pod", goal: "1/4"},
	{what: "create pod, 16 at a time", format: "%.0f/s", ours: "proa.create", theirs: "upstream.create", more: true, goal: "4x"},
	{what: "  p99", format: "%.1f ms", ours: "proa.create.p99", theirs: "upstream.create.p99"},
	{what: "get pod", format: "%.0f/s", ours: "proa.get", theirs: "upstream.get", more: true, goal: "4x"},
	{what: "  p99", format: "%.1f ms", ours: "proa.get.p99", theirs: "upstream.get.p99"},
	{what: "strategic merge patch", format: "%.0f/s", ours: "proa.patch", theirs: "upstream.patch", more: true, goal: "4x"},
	{what: "status patch", format: "%.0f/s", ours: "proa.status", theirs: "upstream.status", more: true, goal: "4x"},
	{what: "list 5,000 pods", format: "%.0f ms", ours: "proa.list.one.p50", theirs: "upstream.list.one.p50", goal: "4x"},
	{what: "list 5,000 pods, four at a time", format: "%.0f ms", ours: "proa.list.four.p50", theirs: "upstream.list.four.p50", goal: "4x"},
	{what: "list 100 of 5,000 by label, four at a time", format: "%.0f/s", ours: "proa.list.label", theirs: "upstream.list.label", more: true, goal: "4x"},
	{what: "100 watchers, 5,000 writes: events", format: "%.0f/s", ours: "proa.watch", theirs: "upstream.watch", more: true, goal: "4x"},
	{what: "  worst, create call to event", format: "%.0f ms", ours: "proa.watch.worst", theirs: "upstream.watch.worst"},
	{what: "1,000 watchers, 3,000 writes: events", format: "%.0f/s", ours: "proa.watch.many", theirs: "upstream.watch.many", more: true, goal: "8x"},
	{what: "  worst, create call to event", format: "%.0f ms", ours: "proa.watch.many.worst", theirs: "upstream.watch.many.worst"},
	{what: "custom resource definition: create call to served, p50", format: "%.1f ms", ours: "proa.custom.p50", theirs: "upstream.custom.p50", goal: "100 ms"},
	{what: "  worst of 20", format: "%.1f ms", ours: "proa.custom.worst", theirs: "upstream.custom.worst"},
	{what: "delete 5,000 pods until gone", format: "%.1f s", ours: "proa.delete", theirs: "upstream.delete", goal: "4x"},
	{what: "schedule 5,000 pods on 1,000 nodes", format: "%.0f/s", ours: "proa.schedule", more: true, goal: "10x of 163/s"},
}

// printTable prints the rows; a figure that was not measured is left empty.
func printTable(to io.Writer, found figures) {
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "what\tproa\tcompared with\tratio\tserver's CPU a call\tcompared with\tratio\tgoal (first)")
	for _, r := range rows {
		cost := r.cost()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.what, found.text(r.ours, r.format), found.text(r.theirs, r.format), found.ratio(r),
			found.text(cost.ours, cost.format), found.text(cost.theirs, cost.format), found.ratio(cost), r.goal)
	}
	w.Flush()
	fmt.Fprintln(to, "compared with: upstream's kube-apiserver and etcd; for pod start the three CRI calls alone, on the same containerd;")
	fmt.Fprintln(to, "for traffic to a Service that from pod to pod; for the front door HAProxy")
	fmt.Fprintln(to, "both API servers run with fairness, admission and an audit log of every request")
	fmt.Fprintln(to, "the client that loads the API shares the machine's cores; the server's CPU a call is without it")
}

// cost is the row of what one call of a row cost the server.
func (r row) cost() row {
	of := func(id string) string { return strings.TrimSuffix(id, ".p50") + ".cpu" }
	return row{format: "%.3g µs", ours: of(r.ours), theirs: of(r.theirs)}
}

func (f figures) text(id, format string) string {
	value, found := f[id]
	if !found {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// ratio is how many times better Proa is; for pod start, how many times the floor it takes.
func (f figures) ratio(r row) string {
	ours, theirs := f[r.ours], f[r.theirs]
	switch {
	case ours == 0 || theirs == 0:
		return ""
	case r.theirs == "floor.all":
		return fmt.Sprintf("%.2fx the calls", ours/theirs)
	case r.more:
		return fmt.Sprintf("%.1fx", ours/theirs)
	}
	return fmt.Sprintf("%.1fx", theirs/ours)
}
