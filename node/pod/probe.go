package pod

import (
	"k8s.io/apimachinery/pkg/types"
)

// ProbeKind is one of the three probes of a container. Its text opens the messages users see ("Liveness probe failed: ...").
type ProbeKind string

// The kinds of probes.
const (
	Startup   ProbeKind = "Startup"
	Readiness ProbeKind = "Readiness"
	Liveness  ProbeKind = "Liveness"
)

// ProbeResult says that a probe of a running container crossed its success or failure threshold. Between two results of one
// kind the health does not change; a container starts with Startup and Readiness false and Liveness true.
type ProbeResult struct {
	PodUID      types.UID
	Container   string
	ContainerID string // as Watch got it: results for an earlier incarnation are dropped
	Kind        ProbeKind
	Healthy     bool
	Message     string // why, for an unhealthy result: what the probe answered
}
