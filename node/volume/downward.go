package volume

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"proa/node/pod"
)

func (c *collector) downwardAPI(items []v1.DownwardAPIVolumeFile, mode int32) {
	for i := range items {
		item := &items[i]
		value, err := "", errors.New("a file of the downward API names no field")
		switch {
		case item.FieldRef != nil:
			value, err = fieldValue(c.pod, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = resourceValue(c.pod, item.ResourceFieldRef, c.volumes.cfg.Allocatable)
		}
		if err != nil {
			c.fail(err)
			continue
		}
		c.payload[item.Path] = projection{data: []byte(value), mode: orMode(item.Mode, mode)}
	}
}

// fieldValue is what a file's fieldRef refers to; the fields are those that exist when volumes are made.
func fieldValue(p *v1.Pod, path string) (string, error) {
	if name, rest, ok := strings.Cut(path, "['"); ok && strings.HasSuffix(rest, "']") {
		key := strings.TrimSuffix(rest, "']")
		switch name {
		case "metadata.annotations":
			return p.Annotations[key], nil
		case "metadata.labels":
			return p.Labels[key], nil
		}
		return "", fmt.Errorf("fieldPath %q does not support subscript", path)
	}
	switch path {
	case "metadata.annotations":
		return fileMap(p.Annotations), nil
	case "metadata.labels":
		return fileMap(p.Labels), nil
	case "metadata.name":
		return p.Name, nil
	case "metadata.namespace":
		return p.Namespace, nil
	case "metadata.uid":
		return string(p.UID), nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %v", path)
}

// resourceValue is a request or limit in units of the divisor, rounded up. A limit that is not set is the node's allocatable.
func resourceValue(p *v1.Pod, ref *v1.ResourceFieldSelector, allocatable v1.ResourceList) (string, error) {
	c := pod.FindContainer(p, ref.ContainerName)
	if c == nil {
		return "", fmt.Errorf("container %s not found", ref.ContainerName)
	}
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
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	value, unit := quantity.Value(), divisor.Value()
	if name == "cpu" {
		value, unit = quantity.MilliValue(), divisor.MilliValue()
	}
	return strconv.FormatInt((value+unit-1)/unit, 10), nil
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
