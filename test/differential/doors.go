package main

import "strings"

// odd are requests that no server should like.
func (g *generator) odd() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	seed := pretty(g.fresh(o.target))
	json := []string{"Content-Type: application/json"}
	return pick(g.r, []*request{
		{"POST", o.path(), json, seed},
		{"PUT", o.target.collection(), json, seed},
		{"PATCH", o.path(), json, "{}"},
		{"PATCH", o.path(), []string{"Content-Type: application/bad-patch+json"}, "{}"},
		{"GET", o.path() + "/bad", nil, ""},
		{"GET", "/api/v1/namespaces/{ns}/bad", nil, ""},
		{"GET", strings.Replace(o.path(), "/v1/", "/v9/", 1), nil, ""},
		{"POST", o.target.collection(), json, ""},
		{"POST", o.target.collection(), json, "[]"},
		{"POST", o.target.collection(), json, `{"apiVersion":"v1","kind":"Bad"}`},
		{"POST", o.target.collection(), json, `{"apiVersion":"bad/v1","kind":"` + o.target.gvk.Kind + `"}`},
		{"POST", o.target.collection(), json, strings.Replace(seed, `"metadata": {`, `"metadata": {"name": "twice",`, 1)},
		{"POST", o.target.collection() + "?fieldValidation=Strict", json, strings.Replace(seed, `"metadata": {`, `"metadata": {"name": "twice",`, 1)},
		{"PUT", o.path(), json, `{"metadata":{"name":"other"}}`},
		{"OPTIONS", o.path(), nil, ""},
		{"HEAD", o.path(), nil, ""},
		{"DELETE", o.path(), json, "bad"},
	})
}

// special are the doors of single kinds.
func (g *generator) special() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	post := func(door string, body map[string]any) *request {
		return &request{"POST", o.path() + "/" + door + g.query(), g.headers("application/json"), pretty(body)}
	}
	switch o.target.gvk.Kind {
	case "Pod":
		switch g.r.IntN(5) {
		case 0:
			return post("binding", map[string]any{"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": o.name},
				"target": map[string]any{"kind": pick(g.r, []string{"Node", "Node", "", "Bad"}), "name": pick(g.r, []string{"n1", ""})}})
		case 1:
			body := map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": pick(g.r, []string{o.name, o.name, "other"})}}
			if chance(g.r, 30) {
				body["deleteOptions"] = map[string]any{"gracePeriodSeconds": 0}
			}
			return post("eviction", body)
		case 2:
			return &request{"POST", "/api/v1/namespaces/{ns}/bindings" + g.query(), g.headers("application/json"), pretty(map[string]any{"apiVersion": "v1", "kind": "Binding",
				"metadata": map[string]any{"name": pick(g.r, []string{o.name, o.name, "missing"})}, "target": map[string]any{"kind": "Node", "name": "n1"}})}
		case 3:
			patch := map[string]any{"spec": map[string]any{"ephemeralContainers": []any{
				map[string]any{"name": pick(g.r, []string{"e", "f", "c", ""}), "image": "busybox", "targetContainerName": pick(g.r, []string{"c", "missing"})}}}}
			return &request{"PATCH", o.path() + "/ephemeralcontainers" + g.query(), g.headers("application/strategic-merge-patch+json"), pretty(patch)}
		}
		patch := map[string]any{"spec": map[string]any{"containers": []any{
			map[string]any{"name": pick(g.r, []string{"c", "c", "x"}), "resources": map[string]any{"requests": map[string]any{"cpu": pick(g.r, quantities)}}}}}}
		return &request{"PATCH", o.path() + "/resize" + g.query(), g.headers("application/strategic-merge-patch+json"), pretty(patch)}
	case "ServiceAccount":
		return post("token", map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
			"spec": map[string]any{"audiences": []any{"a"}, "expirationSeconds": pick(g.r, []any{600, 3600, 5, -1, 1 << 33})}})
	}
	return nil
}
