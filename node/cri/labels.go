package cri

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/pod"
)

// Labels and annotations of sandboxes and containers. Names and values are those that every CRI tool knows, and they are all that
// an agent needs to find its pods again after a restart.
const (
	labelPodName       = "io.kubernetes.pod.name"
	labelPodNamespace  = "io.kubernetes.pod.namespace"
	labelPodUID        = "io.kubernetes.pod.uid"
	labelContainerName = "io.kubernetes.container.name"

	annotationHash              = "io.kubernetes.container.hash"
	annotationRestartCount      = "io.kubernetes.container.restartCount"
	annotationMessagePath       = "io.kubernetes.container.terminationMessagePath"
	annotationMessagePolicy     = "io.kubernetes.container.terminationMessagePolicy"
	annotationPreStop           = "io.kubernetes.container.preStopHandler"
	annotationPorts             = "io.kubernetes.container.ports"
	annotationDeletionGrace     = "io.kubernetes.pod.deletionGracePeriod"
	annotationTerminationGrace  = "io.kubernetes.pod.terminationGracePeriod"
	logSuffix                   = ".log"
	maxTerminationMessage       = 4096
	maxTerminationMessageOfLogs = 2048
	maxTerminationMessageLines  = 80
)

func sandboxLabels(p *v1.Pod) map[string]string {
	labels := maps.Clone(p.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[labelPodName], labels[labelPodNamespace], labels[labelPodUID] = p.Name, p.Namespace, string(p.UID)
	return labels
}

func containerLabels(p *v1.Pod, c *v1.Container) map[string]string {
	return map[string]string{
		labelPodName: p.Name, labelPodNamespace: p.Namespace, labelPodUID: string(p.UID), labelContainerName: c.Name,
	}
}

func containerAnnotations(p *v1.Pod, c *v1.Container, attempt int) map[string]string {
	a := map[string]string{
		annotationHash:          pod.SpecHash(c),
		annotationRestartCount:  strconv.Itoa(attempt),
		annotationMessagePath:   c.TerminationMessagePath,
		annotationMessagePolicy: string(c.TerminationMessagePolicy),
	}
	if grace := p.DeletionGracePeriodSeconds; grace != nil {
		a[annotationDeletionGrace] = strconv.FormatInt(*grace, 10)
	}
	if grace := p.Spec.TerminationGracePeriodSeconds; grace != nil {
		a[annotationTerminationGrace] = strconv.FormatInt(*grace, 10)
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		if text, err := json.Marshal(c.Lifecycle.PreStop); err == nil {
			a[annotationPreStop] = string(text)
		}
	}
	if len(c.Ports) > 0 {
		if text, err := json.Marshal(c.Ports); err == nil {
			a[annotationPorts] = string(text)
		}
	}
	return a
}

// LogDirectory is where the logs of a pod are: <root>/<namespace>_<name>_<uid>.
func LogDirectory(root, namespace, name string, uid types.UID) string {
	return filepath.Join(root, fmt.Sprintf("%s_%s_%s", namespace, name, uid))
}

// logPath is a container's log within its pod's log directory.
func logPath(container string, attempt int) string {
	return filepath.Join(container, strconv.Itoa(attempt)+logSuffix)
}
