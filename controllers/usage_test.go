package controllers_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// noUsage knows nothing.
type noUsage struct{}

func (noUsage) Containers(string, string) (map[string]corev1.ResourceList, time.Time, time.Duration, bool) {
	return nil, time.Time{}, 0, false
}
