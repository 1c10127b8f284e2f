package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// wide are kinds whose objects change how the requests of other histories are answered, and the parts that say for whom. Their
// seeds are for nobody; whatever says something else in those parts is only tried (dryRun=All).
var wide = map[string][]string{
	"ValidatingWebhookConfiguration":   {"webhooks"},
	"MutatingWebhookConfiguration":     {"webhooks"},
	"ValidatingAdmissionPolicy":        {"spec"},
	"ValidatingAdmissionPolicyBinding": {"spec"},
	"MutatingAdmissionPolicy":          {"spec"},
	"MutatingAdmissionPolicyBinding":   {"spec"},
	"ServiceCIDR":                      {"status"}, // one that is not ready is not used
}

// tame makes a write one that is only tried, where it could change what others are answered.
func (g *generator) tame(r *request) {
	t := g.about(r.path)
	switch {
	case t == nil || r.method == "GET" || r.method == "HEAD" || r.method == "OPTIONS":
		return
	case r.method == "DELETE" && t.shared != nil:
		r.body = "" // where it would say what the query says
	case r.method == "DELETE" || t.shared == nil && !g.widens(t, r):
		return
	}
	path, query, _ := strings.Cut(r.path, "?")
	options := slices.DeleteFunc(strings.Split(query, "&"), func(o string) bool { return o == "" || o == "dryRun=" })
	if !slices.Contains(options, "dryRun=All") {
		options = append(options, "dryRun=All")
	}
	r.path = path + "?" + strings.Join(options, "&")
}

// about is the kind of this history that a path leads to.
func (g *generator) about(path string) *target {
	path, _, _ = strings.Cut(path, "?")
	for _, t := range g.focus {
		if rest, found := strings.CutPrefix(path, t.collection()); found && (rest == "" || rest[0] == '/') {
			return t
		}
	}
	return nil
}

// widens says whether a body has a wide part that is neither a seed's nor the one that an object has.
func (g *generator) widens(t *target, r *request) bool {
	parts := wide[t.gvk.Kind]
	if parts == nil {
		return false
	}
	var body any
	if json.Unmarshal([]byte(r.body), &body) != nil && yaml.Unmarshal([]byte(r.body), &body) != nil {
		return true
	}
	if ops, ok := body.([]any); ok {
		return !slices.ContainsFunc(ops, isMetadataPatch) || len(ops) > 1
	}
	said, _ := body.(map[string]any)
	same := func(known map[string]any, part string) bool {
		return reflect.DeepEqual(clone(known[part]), said[part])
	}
	for key := range said {
		if strings.HasPrefix(key, "$") {
			return true
		}
	}
	for _, part := range parts {
		if _, there := said[part]; !there {
			continue
		}
		if !slices.ContainsFunc(t.seeds, func(seed map[string]any) bool { return same(seed, part) }) &&
			!slices.ContainsFunc(g.objects, func(o *object) bool { return o.target == t && same(o.tree, part) }) {
			return true
		}
	}
	return false
}

// isMetadataPatch says whether an operation of a JSON patch stays within metadata.
func isMetadataPatch(op any) bool {
	fields, _ := op.(map[string]any)
	path, _ := fields["path"].(string)
	from, _ := fields["from"].(string)
	return strings.HasPrefix(path, "/metadata/") && (from == "" || strings.HasPrefix(from, "/metadata/"))
}
