package run

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/cri"
	"proa/node/pod"
)

// Volumes makes a pod's volumes available on the node and keeps those that mirror API objects up to date.
// Calls for different pods may overlap; calls for one pod never do, except Mounts, which is quick and pure.
type Volumes interface {
	// Prepare makes every volume of the pod ready and returns where each is on the host, by volume name. It is idempotent:
	// a call for a prepared pod finds what is there, also after the agent restarted. It does not wait for a source that
	// is missing but fails with an error that a user understands (`configmap "x" not found`); it is then called again
	// later. A half-done Prepare leaves nothing that Release would not remove. The pod is shared: it must not be changed.
	Prepare(ctx context.Context, pod *v1.Pod) (map[string]string, error)
	// Mounts lists the mounts of one container of a prepared pod, in the order of volumeMounts. hostPaths is
	// what Prepare returned. The caller has expanded subPathExpr into subPath; subPaths are resolved beneath the volume.
	Mounts(pod *v1.Pod, container *v1.Container, hostPaths map[string]string) ([]*runtimeapi.Mount, error)
	// Release stops updating and removes what Prepare made. It is called once no container of the pod is left, also for
	// pods of which nothing but the uid is known any more. Releasing what is not there succeeds.
	Release(ctx context.Context, podUID types.UID) error
}

// Probes runs the probes of running containers. All methods return at once and may be called from any goroutine.
type Probes interface {
	// Watch starts the probes of a container that runs, if its spec has any and they are not running for this containerID
	// yet; probes for an earlier containerID of the same name end. Whether a container has started is decided here: while
	// a startup probe has not succeeded, the other two wait.
	Watch(pod *v1.Pod, container string, containerID string, startedAt time.Time, podIP string)
	// ForgetContainer ends the probes of one container: it is being stopped.
	ForgetContainer(podUID types.UID, container string)
	// Forget ends all probes of a pod.
	Forget(podUID types.UID)
	// Results yields every crossing of a threshold. There is one reader. It is never closed.
	Results() <-chan pod.ProbeResult
}

// Recorder writes events about pods; it never blocks and drops events when the API is unreachable for long. Volumes and
// Probes implementations take one too: the probes' "Unhealthy" and "ProbeWarning" events are written by Probes.
type Recorder interface {
	// Event records one event. container is "" for the pod itself; it fills involvedObject.fieldPath.
	Event(pod *v1.Pod, container, eventType, reason, message string)
}

// Served is what the node's HTTPS API needs to know about a pod.
type Served struct {
	Pod        *v1.Pod // as the API has it, shared
	Status     v1.PodStatus
	SandboxID  string // "" when there is none
	IPs        []string
	Containers []ServedContainer // newest first for each name
}

// ServedContainer is one container, running or exited, init and ephemeral ones included.
type ServedContainer struct {
	Name    string
	ID      string
	Attempt uint32
	Running bool
	LogPath string // absolute; "" when nothing was logged yet
}

// Runtime is the container runtime, as cri.Client calls it.
type Runtime interface {
	WaitReady(ctx context.Context) error
	List(ctx context.Context, uid types.UID) (map[types.UID]*cri.PodState, error)
	Watch(ctx context.Context, started func(), deliver func(cri.Change)) error

	RunSandbox(ctx context.Context, config *runtimeapi.PodSandboxConfig, handler string) (pod.Sandbox, error)
	StopSandbox(ctx context.Context, id string) error
	RemoveSandbox(ctx context.Context, id string) error

	CreateContainer(ctx context.Context, sandboxID string, config *runtimeapi.ContainerConfig, sandbox *runtimeapi.PodSandboxConfig) (string, error)
	StartContainer(ctx context.Context, id string) error
	StopContainer(ctx context.Context, id string, grace time.Duration) error
	RemoveContainer(ctx context.Context, id string) error
	UpdateContainer(ctx context.Context, id string, resources *runtimeapi.LinuxContainerResources) error
	ReopenLog(ctx context.Context, id string) error
	Container(ctx context.Context, id string) (pod.Container, error)
	ExecSync(ctx context.Context, containerID string, cmd []string, timeout time.Duration) (stdout, stderr []byte, code int32, err error)

	Image(ctx context.Context, name string) (image cri.Image, ok bool, err error)
	Pull(ctx context.Context, name string, credentials *cri.Credentials, sandbox *runtimeapi.PodSandboxConfig) (string, error)
}

// Cgroups keeps the pods' control groups, as cgroup.Groups does.
type Cgroups interface {
	Ensure(p *v1.Pod) error
	Remove(ctx context.Context, uid types.UID) error
	SetBurstable(milliCPU int64) error
}
