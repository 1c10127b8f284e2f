package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

//go:embed shared.yaml
var sharedText string

// writers are the names under which upstream's API server writes status.
var writers = map[string]string{"CustomResourceDefinition": "kube-apiserver", "FlowSchema": "api-priority-and-fairness-config-consumer-v1"}

// shared are the objects that every run begins with.
func shared() ([]map[string]any, error) {
	var all []map[string]any
	for i, text := range strings.Split(sharedText, "\n---\n") {
		var obj map[string]any
		if err := yaml.Unmarshal([]byte(text), &obj); err != nil {
			return nil, fmt.Errorf("read shared object %d: %w", i+1, err)
		}
		all = append(all, obj)
	}
	return all, nil
}

// plurals are of the kinds of shared objects.
var plurals = map[string]string{"CustomResourceDefinition": "customresourcedefinitions", "FlowSchema": "flowschemas"}

// makeShared makes the shared objects and returns when their status is there and their kinds are served. alone: nobody but
// this writes the status.
func (v *server) makeShared(ctx context.Context, alone bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all, err := shared()
	if err != nil {
		return err
	}
	for _, obj := range all {
		gvk := schema.FromAPIVersionAndKind(fmt.Sprint(obj["apiVersion"]), fmt.Sprint(obj["kind"]))
		name := fmt.Sprint(metaOf(obj)["name"])
		path := (&target{gvk: gvk, plural: plurals[gvk.Kind]}).collection()
		status := obj["status"]
		delete(obj, "status")
		made, err := v.ask(ctx, newSymbols("q0000000"), request{"POST", path, []string{"Content-Type: application/json"}, pretty(obj)})
		if err != nil {
			return err
		}
		if made.code != 201 {
			return fmt.Errorf("make shared %s: %d %s", name, made.code, gist(made))
		}
		if alone {
			if err := v.writeStatus(ctx, path+"/"+name, gvk, status); err != nil {
				return err
			}
		}
		if err := v.untilShared(ctx, path+"/"+name, obj); err != nil {
			return fmt.Errorf("wait for shared %s: %w", name, err)
		}
	}
	return nil
}

// writeStatus writes what upstream's API server would, in the way in which it does.
func (v *server) writeStatus(ctx context.Context, path string, gvk schema.GroupVersionKind, status any) error {
	name := path[strings.LastIndex(path, "/")+1:]
	body := map[string]any{"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind, "metadata": map[string]any{"name": name}, "status": withTimes(status)}
	kind, options := "application/merge-patch+json", "?fieldManager="+writers[gvk.Kind]
	if gvk.Kind == "FlowSchema" {
		kind, options = "application/apply-patch+yaml", options+"&force=true"
	}
	written, err := v.ask(ctx, newSymbols("q0000000"), request{"PATCH", path + "/status" + options, []string{"Content-Type: " + kind}, pretty(body)})
	if err != nil {
		return err
	}
	if written.code != 200 {
		return fmt.Errorf("write status of shared %s: %d %s", name, written.code, gist(written))
	}
	return nil
}

// withTimes adds to conditions when they came about.
func withTimes(status any) any {
	conditions, _ := status.(map[string]any)["conditions"].([]any)
	for _, c := range conditions {
		c.(map[string]any)["lastTransitionTime"] = time.Now().UTC().Format(time.RFC3339)
	}
	return status
}

// untilShared waits until an object has conditions, and until each version of the kind that it defines, if it does, is served.
func (v *server) untilShared(ctx context.Context, path string, obj map[string]any) error {
	paths := []string{path}
	if spec, _ := obj["spec"].(map[string]any); spec["versions"] != nil {
		names := spec["names"].(map[string]any)
		for _, version := range spec["versions"].([]any) {
			gvk := schema.GroupVersionKind{Group: fmt.Sprint(spec["group"]), Version: fmt.Sprint(version.(map[string]any)["name"])}
			paths = append(paths, (&target{gvk: gvk, plural: fmt.Sprint(names["plural"])}).collection())
		}
	}
	for _, p := range paths {
		for {
			got, err := v.ask(ctx, newSymbols("q0000000"), request{method: "GET", path: p})
			if err != nil {
				return err
			}
			if got.code == 200 && (p != path || strings.Contains(got.body, "conditions:")) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("GET %s: %d %s", p, got.code, gist(got))
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}
