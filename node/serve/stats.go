package serve

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// summaryOf and what it holds is the part of the kubelet's stats/v1alpha1 that the runtime and the kernel can fill: processor and
// memory. Fields that are absent are unknown, as the format allows.
type summaryOf struct {
	Node nodeStats  `json:"node"`
	Pods []podStats `json:"pods"`
}

type nodeStats struct {
	NodeName string       `json:"nodeName"`
	CPU      *cpuStats    `json:"cpu,omitempty"`
	Memory   *memoryStats `json:"memory,omitempty"`
}

type podStats struct {
	PodRef     podRef           `json:"podRef"`
	Containers []containerStats `json:"containers"`
	CPU        *cpuStats        `json:"cpu,omitempty"`
	Memory     *memoryStats     `json:"memory,omitempty"`
}

type podRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	UID       string `json:"uid"`
}

type containerStats struct {
	Name   string       `json:"name"`
	CPU    *cpuStats    `json:"cpu,omitempty"`
	Memory *memoryStats `json:"memory,omitempty"`
}

type cpuStats struct {
	Time                 metav1.Time `json:"time"`
	UsageNanoCores       *uint64     `json:"usageNanoCores,omitempty"`
	UsageCoreNanoSeconds *uint64     `json:"usageCoreNanoSeconds,omitempty"`
}

type memoryStats struct {
	Time            metav1.Time `json:"time"`
	AvailableBytes  *uint64     `json:"availableBytes,omitempty"`
	UsageBytes      *uint64     `json:"usageBytes,omitempty"`
	WorkingSetBytes *uint64     `json:"workingSetBytes,omitempty"`
	RSSBytes        *uint64     `json:"rssBytes,omitempty"`
	PageFaults      *uint64     `json:"pageFaults,omitempty"`
	MajorPageFaults *uint64     `json:"majorPageFaults,omitempty"`
}

// summary tells what the node, its pods and their containers use.
func (s *Server) summary(w http.ResponseWriter, r *http.Request) {
	collected, err := s.collect(r.Context())
	if err != nil {
		http.Error(w, status.Convert(err).Message(), http.StatusInternalServerError)
		return
	}
	s.writeJSON(w, collected)
}

func (s *Server) collect(ctx context.Context) (*summaryOf, error) {
	response, err := s.cfg.Runtime.ListContainerStats(ctx, &runtimeapi.ListContainerStatsRequest{})
	if err != nil {
		return nil, err
	}
	byID := map[string]*runtimeapi.ContainerStats{}
	for _, stats := range response.Stats {
		byID[stats.GetAttributes().GetId()] = stats
	}
	collected := &summaryOf{Node: s.nodeStats(), Pods: []podStats{}}
	for _, served := range s.cfg.Pods.Pods() {
		pod := podStats{PodRef: podRef{served.Pod.Name, served.Pod.Namespace, string(served.Pod.UID)}, Containers: []containerStats{}}
		for _, c := range served.Containers {
			if stats := byID[c.ID]; c.Running && stats != nil {
				one := containerStats{Name: c.Name, CPU: cpuOf(stats.Cpu), Memory: memoryOf(stats.Memory)}
				pod.Containers = append(pod.Containers, one)
				pod.CPU, pod.Memory = addCPU(pod.CPU, one.CPU), addMemory(pod.Memory, one.Memory)
			}
		}
		if len(pod.Containers) > 0 {
			collected.Pods = append(collected.Pods, pod)
		}
	}
	return collected, nil
}

func value(v *runtimeapi.UInt64Value) *uint64 {
	if v == nil {
		return nil
	}
	return &v.Value
}

func cpuOf(cpu *runtimeapi.CpuUsage) *cpuStats {
	if cpu == nil {
		return nil
	}
	return &cpuStats{Time: metav1.NewTime(time.Unix(0, cpu.Timestamp)), UsageNanoCores: value(cpu.UsageNanoCores), UsageCoreNanoSeconds: value(cpu.UsageCoreNanoSeconds)}
}

func memoryOf(m *runtimeapi.MemoryUsage) *memoryStats {
	if m == nil {
		return nil
	}
	return &memoryStats{Time: metav1.NewTime(time.Unix(0, m.Timestamp)), AvailableBytes: value(m.AvailableBytes), UsageBytes: value(m.UsageBytes),
		WorkingSetBytes: value(m.WorkingSetBytes), RSSBytes: value(m.RssBytes), PageFaults: value(m.PageFaults), MajorPageFaults: value(m.MajorPageFaults)}
}

// A pod uses what its containers use; the sandbox's few pages are left out.
func addCPU(sum, c *cpuStats) *cpuStats {
	if c == nil || sum == nil {
		return either(sum, c)
	}
	return &cpuStats{Time: c.Time, UsageNanoCores: add(sum.UsageNanoCores, c.UsageNanoCores), UsageCoreNanoSeconds: add(sum.UsageCoreNanoSeconds, c.UsageCoreNanoSeconds)}
}

func addMemory(sum, m *memoryStats) *memoryStats {
	if m == nil || sum == nil {
		return either(sum, m)
	}
	return &memoryStats{Time: m.Time, UsageBytes: add(sum.UsageBytes, m.UsageBytes), WorkingSetBytes: add(sum.WorkingSetBytes, m.WorkingSetBytes), RSSBytes: add(sum.RSSBytes, m.RSSBytes)}
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func add(a, b *uint64) *uint64 {
	if a == nil || b == nil {
		return either(a, b)
	}
	sum := *a + *b
	return &sum
}

// ticksPerSecond is the kernel's fixed unit of /proc/stat.
const ticksPerSecond = 100

// nodeStats reads the kernel's own account; what cannot be read is left out.
func (s *Server) nodeStats() nodeStats {
	now := metav1.NewTime(time.Now())
	node := nodeStats{NodeName: s.cfg.NodeName}
	if stat, err := os.ReadFile("/proc/stat"); err == nil {
		node.CPU = &cpuStats{Time: now, UsageCoreNanoSeconds: busy(string(stat))}
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		node.Memory = memoryFrom(string(info), now)
	}
	return node
}

// busy sums the first line of /proc/stat without idle and waiting time.
func busy(stat string) *uint64 {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 {
		return nil
	}
	var ticks uint64
	for i, field := range fields[1:8] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil
		}
		if i != 3 && i != 4 { // idle, iowait
			ticks += n
		}
	}
	nanoseconds := ticks * uint64(time.Second/ticksPerSecond)
	return &nanoseconds
}

func memoryFrom(info string, now metav1.Time) *memoryStats {
	values := map[string]uint64{}
	lines := bufio.NewScanner(strings.NewReader(info))
	for lines.Scan() {
		var name string
		var kilobytes uint64
		if n, _ := fmt.Sscanf(lines.Text(), "%s %d", &name, &kilobytes); n == 2 {
			values[strings.TrimSuffix(name, ":")] = kilobytes << 10
		}
	}
	used, available := values["MemTotal"]-values["MemAvailable"], values["MemAvailable"]
	whole := values["MemTotal"] - values["MemFree"]
	return &memoryStats{Time: now, AvailableBytes: &available, UsageBytes: &whole, WorkingSetBytes: &used}
}

// resourceMetrics is what metrics-server reads: processor and memory in Prometheus' text form.
func (s *Server) resourceMetrics(w http.ResponseWriter, r *http.Request) {
	collected, err := s.collect(r.Context())
	if err != nil {
		http.Error(w, status.Convert(err).Message(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	out := bufio.NewWriter(w)
	defer out.Flush()
	family(out, "node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds", collected.Node.CPU.line(""))
	family(out, "node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes", collected.Node.Memory.line(""))
	var containerCPU, containerMemory, podCPU, podMemory []string
	for _, pod := range collected.Pods {
		labels := fmt.Sprintf("namespace=%q,pod=%q", pod.PodRef.Namespace, pod.PodRef.Name)
		podCPU, podMemory = append(podCPU, pod.CPU.line(labels)), append(podMemory, pod.Memory.line(labels))
		for _, c := range pod.Containers {
			labels := fmt.Sprintf("container=%q,%s", c.Name, labels)
			containerCPU, containerMemory = append(containerCPU, c.CPU.line(labels)), append(containerMemory, c.Memory.line(labels))
		}
	}
	family(out, "container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds", containerCPU...)
	family(out, "container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes", containerMemory...)
	family(out, "pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds", podCPU...)
	family(out, "pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", podMemory...)
	family(out, "resource_scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise", " 0")
}

// family writes one metric; lines are labels and value, empty where the value is unknown.
func family(out *bufio.Writer, name, kind, help string, lines ...string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	for _, line := range lines {
		if line != "" {
			fmt.Fprintf(out, "%s%s\n", name, line)
		}
	}
}

func braces(labels string) string {
	if labels == "" {
		return ""
	}
	return "{" + labels + "}"
}

func (c *cpuStats) line(labels string) string {
	if c == nil || c.UsageCoreNanoSeconds == nil {
		return ""
	}
	return fmt.Sprintf("%s %g %d", braces(labels), float64(*c.UsageCoreNanoSeconds)/1e9, c.Time.UnixMilli())
}

func (m *memoryStats) line(labels string) string {
	if m == nil || m.WorkingSetBytes == nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d", braces(labels), *m.WorkingSetBytes, m.Time.UnixMilli())
}
