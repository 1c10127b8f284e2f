package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// partial is an object's outline down to one part of it, with some fields of that part: what a client sends as a patch.
// Lists on the way hold the one element, with the fields that name it.
func (g *generator) partial(o *object, within string) map[string]any {
	all := nodes(o.tree, o.target.goType, nil)
	if within != "" {
		all = slices.DeleteFunc(all, func(n node) bool { return len(n.path) == 0 || n.path[0] != within })
	}
	if len(all) == 0 {
		return map[string]any{}
	}
	n := pick(g.r, all)
	part := map[string]any{}
	fields := fieldsOf(n.goType)
	for range 1 + g.r.IntN(2) {
		f := pick(g.r, fields)
		if len(n.path) <= 1 && slices.Contains(hidden, f.name) && chance(g.r, 85) {
			continue
		}
		part[f.name] = value(g.r, f.goType, f.place, 1)
		if chance(g.r, 12) {
			part[f.name] = nil
		}
	}
	return outline(o.tree, n.path, part)
}

// outline wraps a part in what leads to it.
func outline(whole any, path []any, part map[string]any) map[string]any {
	if len(path) == 0 {
		return part
	}
	switch key := path[0].(type) {
	case string:
		child := whole.(map[string]any)[key]
		if list, ok := child.([]any); ok && len(path) > 1 {
			element, _ := list[path[1].(int)].(map[string]any)
			inner := outline(element, path[2:], part)
			for _, name := range []string{"name", "key", "containerPort", "protocol", "port", "type", "ip", "mountPath", "topologyKey", "uid"} {
				if v, there := element[name]; there && inner[name] == nil {
					inner[name] = v
				}
			}
			return map[string]any{key: []any{inner}}
		}
		return map[string]any{key: outline(child, path[1:], part)}
	}
	return part
}

func (g *generator) patchRequest(o *object, contentType, suffix string, body any, options ...string) *request {
	return &request{"PATCH", o.path() + suffix + g.query(options...), g.headers(contentType), pretty(body)}
}

func (g *generator) mergePatch() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	return g.patchRequest(o, "application/merge-patch+json", "", g.partial(o, ""))
}

func (g *generator) strategicPatch() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	patch := g.partial(o, "")
	if chance(g.r, 35) {
		g.direct(patch)
	}
	return g.patchRequest(o, "application/strategic-merge-patch+json", "", patch)
}

// direct adds a directive somewhere in a strategic patch.
func (g *generator) direct(patch map[string]any) {
	at := patch
	for g.r.IntN(4) > 0 {
		var inner []map[string]any
		for _, k := range sortedKeys(at) {
			switch v := at[k].(type) {
			case map[string]any:
				inner = append(inner, v)
			case []any:
				for _, item := range v {
					if m, ok := item.(map[string]any); ok {
						inner = append(inner, m)
					}
				}
			}
		}
		if len(inner) == 0 {
			break
		}
		at = pick(g.r, inner)
	}
	key := "finalizers"
	if keys := sortedKeys(at); len(keys) > 0 {
		key = pick(g.r, keys)
	}
	switch g.r.IntN(6) {
	case 0:
		at["$patch"] = "delete"
	case 1:
		at["$patch"] = "replace"
	case 2:
		at["$retainKeys"] = []any{key}
	case 3:
		at["$setElementOrder/"+key] = []any{map[string]any{"name": "c"}, map[string]any{"name": "d"}}
	case 4:
		at["$deleteFromPrimitiveList/"+key] = []any{"a"}
	case 5:
		at["$patch"] = "bad"
	}
}

// pointers lists the JSON pointers of an object's parts.
func pointers(value any, path string) []string {
	out := []string{path}
	switch v := value.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = append(out, pointers(v[k], path+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(k))...)
		}
	case []any:
		for i := range v {
			out = append(out, pointers(v[i], fmt.Sprintf("%s/%d", path, i))...)
		}
	}
	return out
}

func (g *generator) jsonPatch() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	obj := clone(o.tree)
	delete(metaOf(obj), "managedFields")
	all := pointers(obj, "")
	sources := slices.DeleteFunc(slices.Clone(all), func(path string) bool { return path == "/metadata/resourceVersion" }) // another on each server
	var ops []any
	for range 1 + g.r.IntN(2) {
		op := map[string]any{"op": pick(g.r, []string{"add", "add", "replace", "replace", "remove", "test", "copy", "move", "bad"}), "path": pick(g.r, all)}
		if chance(g.r, 15) {
			op["path"] = fmt.Sprint(op["path"], "/", pick(g.r, []string{"-", "0", "x", "99"}))
		}
		switch op["op"] {
		case "add", "replace", "test":
			op["value"] = pick(g.r, []any{"a", "b", 1, true, nil, []any{}, map[string]any{}, map[string]any{"app": "b"}})
		case "copy", "move":
			op["from"] = pick(g.r, sources)
		}
		ops = append(ops, op)
	}
	return g.patchRequest(o, "application/json-patch+json", "", ops)
}

func (g *generator) apply() *request {
	o := g.some()
	if o == nil || chance(g.r, 25) {
		t := g.stored()
		if t == nil {
			return nil
		}
		seed := g.fresh(t)
		name, _ := metaOf(seed)["name"].(string)
		if name == "" {
			return nil
		}
		o = &object{t, name, seed}
	}
	var config map[string]any
	switch g.r.IntN(4) {
	case 0, 1:
		config = g.partial(o, "")
	case 2:
		config = clone(pick(g.r, o.target.seeds))
		change(g.r, config, o.target.goType)
	case 3:
		config = clone(o.tree)
		for _, key := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
			delete(metaOf(config), key)
		}
		delete(config, "status")
		change(g.r, config, o.target.goType)
	}
	g.identify(config, o)
	options := []string{"fieldManager=" + pick(g.r, []string{"m1", "m1", "m2", "m3"})}
	if chance(g.r, 30) {
		options = append(options, "force="+pick(g.r, []string{"true", "true", "false", "x"}))
	}
	if chance(g.r, 2) {
		options = nil
	}
	return g.patchRequest(o, "application/apply-patch+yaml", "", config, options...)
}

// identify says in a configuration what it is one of.
func (g *generator) identify(config map[string]any, o *object) {
	if chance(g.r, 98) {
		config["apiVersion"], config["kind"] = o.target.gvk.GroupVersion().String(), o.target.gvk.Kind
	}
	if meta := metaOf(config); chance(g.r, 95) {
		meta["name"] = o.name
	}
}

// status writes through the status subresource, or tries to where there is none.
func (g *generator) status() *request {
	o := g.some()
	if o == nil || !o.target.has("status") && chance(g.r, 95) {
		return nil
	}
	obj := g.copy(o)
	f, found := fieldNamed(o.target.goType, "status")
	if !found {
		return nil
	}
	if current, ok := obj["status"].(map[string]any); ok && len(current) > 0 && chance(g.r, 50) {
		change(g.r, current, f.goType)
	} else {
		obj["status"] = value(g.r, f.goType, f.place, 1)
	}
	if chance(g.r, 20) {
		change(g.r, obj, o.target.goType)
	}
	door := "/status"
	if o.target.has("approval") && chance(g.r, 50) {
		door = "/approval"
	}
	switch g.r.IntN(4) {
	case 0:
		patch := map[string]any{"status": obj["status"]}
		return g.patchRequest(o, pick(g.r, []string{"application/merge-patch+json", "application/strategic-merge-patch+json"}), door, patch)
	case 1:
		config := map[string]any{"status": obj["status"]}
		g.identify(config, o)
		return g.patchRequest(o, "application/apply-patch+yaml", door, config, "fieldManager="+pick(g.r, []string{"m1", "m4"}), "force=true")
	}
	return g.write("PUT", o.path()+door, obj)
}

func fieldNamed(t reflect.Type, name string) (jsonField, bool) {
	for _, f := range fieldsOf(t) {
		if f.name == name {
			return f, true
		}
	}
	return jsonField{}, false
}

func (g *generator) scale() *request {
	o := g.some()
	if o == nil || !o.target.has("scale") && chance(g.r, 97) {
		return nil
	}
	replicas := pick(g.r, []any{0, 1, 4, -1, "x"})
	switch g.r.IntN(5) {
	case 0, 1:
		return &request{"GET", o.path() + "/scale", g.accept(false), ""}
	case 2:
		return g.patchRequest(o, pick(g.r, []string{"application/merge-patch+json", "application/strategic-merge-patch+json"}), "/scale", map[string]any{"spec": map[string]any{"replicas": replicas}})
	case 3:
		config := map[string]any{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": map[string]any{"name": o.name}, "spec": map[string]any{"replicas": replicas}}
		return g.patchRequest(o, "application/apply-patch+yaml", "/scale", config, "fieldManager=scaler", pick(g.r, []string{"force=true", "force=false"}))
	}
	meta := map[string]any{"name": pick(g.r, []string{o.name, o.name, "other"}), "namespace": "{ns}"}
	if chance(g.r, 30) {
		meta["resourceVersion"] = pick(g.r, []any{metaOf(o.tree)["resourceVersion"], "1"})
	}
	return &request{"PUT", o.path() + "/scale" + g.query(), g.headers("application/json"),
		pretty(map[string]any{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": map[string]any{"replicas": replicas}})}
}
