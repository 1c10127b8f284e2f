package cri

import (
	"fmt"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// fieldValue is what a fieldRef of an environment variable refers to.
func (s *Settings) fieldValue(p *v1.Pod, path string, podIPs []string) (string, error) {
	if name, key, ok := subscript(path); ok {
		switch name {
		case "metadata.annotations":
			return p.Annotations[key], nil
		case "metadata.labels":
			return p.Labels[key], nil
		}
		return "", fmt.Errorf("invalid field path with subscript: %q", path)
	}
	switch path {
	case "metadata.name":
		return p.Name, nil
	case "metadata.namespace":
		return p.Namespace, nil
	case "metadata.uid":
		return string(p.UID), nil
	case "spec.nodeName":
		return p.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return p.Spec.ServiceAccountName, nil
	case "status.hostIP":
		return strings.Join(s.HostIPs[:min(1, len(s.HostIPs))], ""), nil
	case "status.hostIPs":
		return strings.Join(s.HostIPs, ","), nil
	case "status.podIP":
		return strings.Join(podIPs[:min(1, len(podIPs))], ""), nil
	case "status.podIPs":
		return strings.Join(podIPs, ","), nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %v", path)
}

// subscript splits metadata.labels['key'].
func subscript(path string) (name, key string, ok bool) {
	name, rest, found := strings.Cut(path, "['")
	if !found || !strings.HasSuffix(rest, "']") {
		return "", "", false
	}
	return name, strings.TrimSuffix(rest, "']"), true
}

// resourceValue is what a resourceFieldRef refers to, in units of its divisor, rounded up. A limit that is not set is the
// node's allocatable.
func resourceValue(c *v1.Container, ref *v1.ResourceFieldSelector, allocatable v1.ResourceList) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	var quantity resource.Quantity
	switch kind {
	case "limits":
		var set bool
		if quantity, set = c.Resources.Limits[v1.ResourceName(name)]; !set {
			quantity = allocatable[v1.ResourceName(name)]
		}
	case "requests":
		quantity = c.Resources.Requests[v1.ResourceName(name)]
	default:
		return "", fmt.Errorf("unsupported container resource : %v", ref.Resource)
	}
	if name == "cpu" {
		return strconv.FormatInt(divideUp(quantity.MilliValue(), divisor(ref.Divisor).MilliValue()), 10), nil
	}
	return strconv.FormatInt(divideUp(quantity.Value(), divisor(ref.Divisor).Value()), 10), nil
}

func divisor(q resource.Quantity) *resource.Quantity {
	if q.IsZero() {
		return resource.NewQuantity(1, resource.DecimalSI)
	}
	return &q
}

func divideUp(a, b int64) int64 { return (a + b - 1) / b }
