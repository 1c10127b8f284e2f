package legacy

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
)

// part is the object at a path, nil if there is none.
func part(fields map[string]any, path ...string) map[string]any {
	for _, name := range path {
		fields, _ = fields[name].(map[string]any)
	}
	return fields
}

func each(list any, f func(map[string]any)) {
	items, _ := list.([]any)
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			f(fields)
		}
	}
}

// dropRollback: a deployment was rolled back by a field; today kubectl writes the old template.
func dropRollback(fields map[string]any) { delete(part(fields, "spec"), "rollbackTo") }

// generationToAnnotation: what was a field of a daemon set's spec is an annotation today.
func generationToAnnotation(fields map[string]any) {
	spec := part(fields, "spec")
	generation, ok := spec["templateGeneration"].(int64)
	delete(spec, "templateGeneration")
	if !ok || generation == 0 {
		return
	}
	metadata := part(fields, "metadata")
	if metadata == nil {
		metadata = map[string]any{}
		fields["metadata"] = metadata
	}
	annotations := part(metadata, "annotations")
	if annotations == nil {
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	annotations[appsv1.DeprecatedTemplateGeneration] = strconv.FormatInt(generation, 10)
}

func generationFromAnnotation(fields map[string]any) {
	annotations := part(fields, "metadata", "annotations")
	text, _ := annotations[appsv1.DeprecatedTemplateGeneration].(string)
	generation, err := strconv.ParseInt(text, 10, 64)
	if spec := part(fields, "spec"); spec != nil && err == nil {
		spec["templateGeneration"] = generation
		delete(annotations, appsv1.DeprecatedTemplateGeneration)
	}
}

// backendsUp: an ingress named a backend's service and port side by side.
func backendsUp(fields map[string]any) {
	spec := part(fields, "spec")
	if backend := part(spec, "backend"); backend != nil {
		delete(spec, "backend")
		backendUp(backend)
		spec["defaultBackend"] = backend
	}
	each(spec["rules"], func(rule map[string]any) {
		each(part(rule, "http")["paths"], func(path map[string]any) { backendUp(part(path, "backend")) })
	})
}

func backendUp(backend map[string]any) {
	name, named := backend["serviceName"]
	port, ported := backend["servicePort"]
	delete(backend, "serviceName")
	delete(backend, "servicePort")
	if zero, isNumber := port.(int64); isNumber && zero == 0 && name == nil { // as Go writes a port that is not there
		ported = false
	}
	if !named && !ported {
		return
	}
	service := map[string]any{}
	if named {
		service["name"] = name
	}
	switch port := port.(type) {
	case string:
		service["port"] = map[string]any{"name": port}
	case int64, float64:
		service["port"] = map[string]any{"number": port}
	}
	backend["service"] = service
}

func backendsDown(fields map[string]any) {
	spec := part(fields, "spec")
	if backend := part(spec, "defaultBackend"); backend != nil {
		delete(spec, "defaultBackend")
		backendDown(backend)
		spec["backend"] = backend
	}
	each(spec["rules"], func(rule map[string]any) {
		each(part(rule, "http")["paths"], func(path map[string]any) { backendDown(part(path, "backend")) })
	})
}

func backendDown(backend map[string]any) {
	service := part(backend, "service")
	delete(backend, "service")
	if service == nil {
		return
	}
	backend["serviceName"] = service["name"]
	port := part(service, "port")
	if name, ok := port["name"]; ok {
		backend["servicePort"] = name
	} else if number, ok := port["number"]; ok {
		backend["servicePort"] = number
	}
}

// A disruption budget with an empty selector covered no pod; today it covers all. The two are told apart by a label that no
// pod has, upstream's.
const matchLabel = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"

func matching(operator string) map[string]any {
	return map[string]any{"matchExpressions": []any{map[string]any{"key": matchLabel, "operator": operator}}}
}

func noneUp(fields map[string]any) {
	spec := part(fields, "spec")
	selector, set := spec["selector"].(map[string]any)
	switch {
	case !set:
	case len(selector) == 0:
		spec["selector"] = matching("Exists")
	case isMatching(selector, "DoesNotExist"):
		spec["selector"] = map[string]any{}
	}
}

func noneDown(fields map[string]any) {
	spec := part(fields, "spec")
	selector, set := spec["selector"].(map[string]any)
	switch {
	case !set:
	case len(selector) == 0:
		spec["selector"] = matching("DoesNotExist")
	case isMatching(selector, "Exists"):
		spec["selector"] = map[string]any{}
	}
}

func isMatching(selector map[string]any, operator string) bool {
	expressions, _ := selector["matchExpressions"].([]any)
	if len(selector) != 1 || len(expressions) != 1 {
		return false
	}
	e, _ := expressions[0].(map[string]any)
	return e["key"] == matchLabel && e["operator"] == operator
}
