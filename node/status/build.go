package status

import (
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/node/cri"
)

// Facts are what a status is built from.
type Facts struct {
	NodeName    string
	IPs         []string
	Port        int32
	Version     string
	Machine     Machine
	Reserved    v1.ResourceList
	MaxPods     int64
	Runtime     cri.Info
	RuntimeDown string // why the runtime does not answer; "" when it does
	Images      []cri.ImageNames
	Pressure    []v1.NodeConditionType // conditions that are true
	Headroom    v1.ResourceList        // must stay free
	NotReady    string                 // why, beside what the runtime says; "" when nothing is wrong
}

// maxImages bounds status.images, the largest first.
const maxImages = 50

// Build derives the status of a node. last supplies the times of conditions that did not change and what others wrote.
func Build(f Facts, last v1.NodeStatus, now time.Time) v1.NodeStatus {
	s := *last.DeepCopy()
	s.Capacity = capacity(f)
	for name, q := range last.Capacity {
		if extended(name) {
			s.Capacity[name] = q
		}
	}
	s.Allocatable = allocatable(s.Capacity, f.Reserved, f.Headroom)
	s.Addresses = nil
	for _, ip := range f.IPs {
		s.Addresses = append(s.Addresses, v1.NodeAddress{Type: v1.NodeInternalIP, Address: ip})
	}
	s.Addresses = append(s.Addresses, v1.NodeAddress{Type: v1.NodeHostName, Address: f.NodeName})
	s.DaemonEndpoints.KubeletEndpoint.Port = f.Port
	s.NodeInfo = v1.NodeSystemInfo{
		MachineID: f.Machine.MachineID, SystemUUID: f.Machine.SystemUUID, BootID: f.Machine.BootID, KernelVersion: f.Machine.Kernel,
		OSImage: f.Machine.OSImage, OperatingSystem: "linux", Architecture: arch, KubeletVersion: f.Version,
		ContainerRuntimeVersion: last.NodeInfo.ContainerRuntimeVersion,
	}
	if f.RuntimeDown == "" {
		s.NodeInfo.ContainerRuntimeVersion = f.Runtime.Name + "://" + strings.TrimPrefix(f.Runtime.Version, "v")
		s.Images = images(f.Images)
		s.RuntimeHandlers, s.Features = handlers(f.Runtime)
	}
	s.DeclaredFeatures = declaredFeatures()
	for _, c := range conditions(f) {
		s.Conditions = put(s.Conditions, c, now)
	}
	return s
}

// declaredFeatures are the features of nodes, of those that the API knows (KEP-5328), that this one has: its server speaks
// WebSockets. It does not resize init containers and pods as wholes, and does not restart all containers when one ends.
func declaredFeatures() []string { return []string{"ExtendWebSocketsToKubelet"} }

func capacity(f Facts) v1.ResourceList {
	c := v1.ResourceList{
		v1.ResourceCPU:              *resource.NewQuantity(int64(f.Machine.CPUs), resource.DecimalSI),
		v1.ResourceMemory:           *resource.NewQuantity(f.Machine.Memory, resource.BinarySI),
		v1.ResourcePods:             *resource.NewQuantity(f.MaxPods, resource.DecimalSI),
		v1.ResourceEphemeralStorage: *resource.NewQuantity(f.Machine.Disk, resource.BinarySI),
	}
	for size, pages := range f.Machine.HugePages {
		name := v1.ResourceName(v1.ResourceHugePagesPrefix + resource.NewQuantity(size, resource.BinarySI).String())
		c[name] = *resource.NewQuantity(size*pages, resource.BinarySI)
	}
	return c
}

// extended tells whether a resource is not the machine's own: it is there because somebody said so in the status.
func extended(name v1.ResourceName) bool {
	domain, _, ok := strings.Cut(string(name), "/")
	return ok && domain != "kubernetes.io" && !strings.HasSuffix(domain, ".kubernetes.io")
}

// allocatable keeps back what is reserved, and what must stay free for pods not to be evicted.
func allocatable(capacity v1.ResourceList, kept ...v1.ResourceList) v1.ResourceList {
	a := capacity.DeepCopy()
	for _, list := range kept {
		for name, q := range list {
			have, ok := a[name]
			if !ok {
				continue
			}
			if have.Sub(q); have.Sign() < 0 {
				have.Set(0)
			}
			a[name] = have
		}
	}
	return a
}

func conditions(f Facts) []v1.NodeCondition {
	memory, disk, pids := slices.Contains(f.Pressure, v1.NodeMemoryPressure), slices.Contains(f.Pressure, v1.NodeDiskPressure), slices.Contains(f.Pressure, v1.NodePIDPressure)
	return []v1.NodeCondition{
		pressure(v1.NodeMemoryPressure, memory, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available",
			"KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
		pressure(v1.NodeDiskPressure, disk, "KubeletHasDiskPressure", "kubelet has disk pressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
		pressure(v1.NodePIDPressure, pids, "KubeletHasInsufficientPID", "kubelet has insufficient PID available",
			"KubeletHasSufficientPID", "kubelet has sufficient PID available"),
		ready(f),
	}
}

func pressure(t v1.NodeConditionType, high bool, highReason, highMessage, reason, message string) v1.NodeCondition {
	if high {
		return v1.NodeCondition{Type: t, Status: v1.ConditionTrue, Reason: highReason, Message: highMessage}
	}
	return v1.NodeCondition{Type: t, Status: v1.ConditionFalse, Reason: reason, Message: message}
}

func ready(f Facts) v1.NodeCondition {
	var wrong []string
	if f.RuntimeDown != "" {
		wrong = append(wrong, "container runtime is down: "+f.RuntimeDown)
	} else {
		wrong = f.Runtime.NotReady
	}
	if f.NotReady != "" {
		wrong = append(slices.Clip(wrong), f.NotReady)
	}
	if len(wrong) == 0 {
		return v1.NodeCondition{Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"}
	}
	message := wrong[0]
	if len(wrong) > 1 {
		message = "[" + strings.Join(wrong, ", ") + "]"
	}
	return v1.NodeCondition{Type: v1.NodeReady, Status: v1.ConditionFalse, Reason: "KubeletNotReady", Message: message}
}

// put replaces a condition in its place, and dates its change.
func put(all []v1.NodeCondition, c v1.NodeCondition, now time.Time) []v1.NodeCondition {
	at := metav1.NewTime(now.Truncate(time.Second))
	c.LastHeartbeatTime, c.LastTransitionTime = at, at
	for i := range all {
		if all[i].Type == c.Type {
			if all[i].Status == c.Status {
				c.LastTransitionTime = all[i].LastTransitionTime
			}
			all[i] = c
			return all
		}
	}
	return append(all, c)
}

func images(all []cri.ImageNames) []v1.ContainerImage {
	all = slices.DeleteFunc(slices.Clone(all), func(i cri.ImageNames) bool { return len(i.Names) == 0 })
	slices.SortFunc(all, func(a, b cri.ImageNames) int {
		if a.Size != b.Size {
			return int(min(max(b.Size-a.Size, -1), 1))
		}
		return slices.Compare(a.Names, b.Names)
	})
	var out []v1.ContainerImage
	for _, i := range all[:min(len(all), maxImages)] {
		out = append(out, v1.ContainerImage{Names: i.Names[:min(len(i.Names), 5)], SizeBytes: i.Size})
	}
	return out
}

func handlers(info cri.Info) ([]v1.NodeRuntimeHandler, *v1.NodeFeatures) {
	var out []v1.NodeRuntimeHandler
	for _, h := range info.Handlers {
		out = append(out, v1.NodeRuntimeHandler{Name: h.Name, Features: &v1.NodeRuntimeHandlerFeatures{
			RecursiveReadOnlyMounts: &h.RecursiveReadOnlyMounts, UserNamespaces: &h.UserNamespaces,
		}})
	}
	slices.SortFunc(out, func(a, b v1.NodeRuntimeHandler) int { return strings.Compare(a.Name, b.Name) })
	return out, &v1.NodeFeatures{SupplementalGroupsPolicy: &info.SupplementalGroupsPolicy}
}

// Capacity is what a machine has, as its Node will say.
func Capacity(m Machine) v1.ResourceList { return capacity(Facts{Machine: m, MaxPods: defaultMaxPods}) }

// Allocatable is what is offered to pods of a capacity, as the Node will say.
func Allocatable(capacity v1.ResourceList, kept ...v1.ResourceList) v1.ResourceList {
	return allocatable(capacity, kept...)
}
