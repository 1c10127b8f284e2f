package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// difference is one thing that the two servers answered differently.
type difference struct {
	request  request
	where    string // path in the answer, without indexes: "body.spec.containers[].image", "code", "header.Warning"
	upstream string // YAML or text; empty: absent
	ours     string
}

func (d difference) String() string {
	return fmt.Sprintf("%s %s\n  %s\n    upstream: %s\n    ours:     %s", d.request.method, d.request.path, d.where, clip(d.upstream), clip(d.ours))
}

func clip(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n              ")
	if len(text) > 600 {
		return text[:600] + "..."
	}
	return text
}

// compare lists how two answers to a request differ.
func compare(r request, upstream, ours answer) []difference {
	var out []difference
	add := func(where, u, o string) { out = append(out, difference{r, where, u, o}) }
	if upstream.code != ours.code {
		add("code", fmt.Sprintf("%d %s", upstream.code, gist(upstream)), fmt.Sprintf("%d %s", ours.code, gist(ours)))
		return out
	}
	eachMissing(upstream.header, ours.header, func(u string) { add("header."+before(u), u, "") })
	eachMissing(ours.header, upstream.header, func(o string) { add("header."+before(o), "", o) })
	u, o := tree(upstream.body), tree(ours.body)
	if uk, ok := kindIn(u), kindIn(o); uk != ok {
		add("body.kind", uk, ok) // the rest differs for that
		return out
	}
	if us, ok := u.(map[string]any); ok && us["kind"] == "Status" {
		if os, ok := o.(map[string]any); ok {
			out = append(out, compareStatus(r, us, os)...)
			return out
		}
	}
	compareTrees(u, o, "body", add)
	return out
}

// kindIn is what a body is one of, or that it is none.
func kindIn(body any) string {
	object, isObject := body.(map[string]any)
	if !isObject {
		return "no object"
	}
	return fmt.Sprint(object["kind"])
}

func before(header string) string {
	name, _, _ := strings.Cut(header, ":")
	return name
}

// gist is the part of an answer that says why.
func gist(a answer) string {
	if status, ok := tree(a.body).(map[string]any); ok {
		if _, ok := status["message"].(string); ok && status["kind"] == "Status" {
			return strings.TrimSuffix(ownWords(status)+" "+strings.Join(causes(status), "; "), " ")
		}
		return fmt.Sprint(status["kind"])
	}
	return clip(a.body)
}

func tree(body string) any {
	var value any
	if err := yaml.Unmarshal([]byte(body), &value); err != nil {
		return body
	}
	return value
}

func eachMissing(from, in []string, f func(string)) {
	in = slices.Clone(in)
	for _, line := range from {
		if i := slices.Index(in, line); i >= 0 {
			in = slices.Delete(in, i, i+1)
		} else {
			f(line)
		}
	}
}

// compareStatus compares the causes of failures one by one; the message repeats them.
func compareStatus(r request, u, o map[string]any) []difference {
	var out []difference
	add := func(where, u, o string) { out = append(out, difference{r, where, u, o}) }
	uc, oc := causes(u), causes(o)
	if len(uc) > 0 && len(oc) > 0 && !slices.ContainsFunc(uc, func(c string) bool { return slices.Contains(oc, c) }) { // one said nothing of the other's
		add("causes", strings.Join(uc, "\n"), strings.Join(oc, "\n"))
		return out
	}
	eachMissing(uc, oc, func(c string) { add("cause", c, "") })
	eachMissing(oc, uc, func(c string) { add("cause", "", c) })
	if len(out) > 0 {
		return out
	}
	if !slices.Equal(uc, oc) {
		add("causes' order", strings.Join(uc, "\n"), strings.Join(oc, "\n"))
		return out
	}
	for _, status := range []map[string]any{u, o} {
		status["message"] = ownWords(status)
		if details, ok := status["details"].(map[string]any); ok && len(uc) > 0 {
			delete(details, "causes")
		}
	}
	compareTrees(u, o, "status", add)
	return out
}

// dumps are objects that errors quote, and the differences between two: upstream writes its internal types there, whose
// fields have other names than the API's. Only that something is quoted is compared. See the head of docs/compatibility.md.
var dumps = regexp.MustCompile(`(?s)(Invalid value|Duplicate value|list element types are not identical): [{\[].*[}\]]( ?: |$)|\n@@ .*`)

func quoteless(message string) string { return dumps.ReplaceAllString(message, "$1: {…}$2") }

func compareTrees(u, o any, path string, add func(where, u, o string)) {
	switch uv := u.(type) {
	case map[string]any:
		ov, ok := o.(map[string]any)
		if !ok {
			break
		}
		for _, k := range sortedKeys(uv) {
			if _, there := ov[k]; !there {
				add(path+"."+k, text(uv[k]), "")
				continue
			}
			compareTrees(uv[k], ov[k], path+"."+k, add)
		}
		for _, k := range sortedKeys(ov) {
			if _, there := uv[k]; !there {
				add(path+"."+k, "", text(ov[k]))
			}
		}
		return
	case []any:
		ov, ok := o.([]any)
		if !ok || len(uv) != len(ov) {
			break
		}
		for i := range uv {
			compareTrees(uv[i], ov[i], path+"[]", add)
		}
		return
	}
	if !reflect.DeepEqual(u, o) {
		add(path, text(u), text(o))
	}
}

// text writes a value; null is told from absence.
func text(value any) string {
	out, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(string(out))
}

var (
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	indexes = regexp.MustCompile(`\[[^\]]*\]`)
	numbers = regexp.MustCompile(`-?\b[0-9]+\b`)
)

// class is what differences of one cause have in common, for a list that can be read.
func (d difference) class() string {
	plain := func(in string) string {
		var code string
		if d.where == "code" {
			code, in, _ = strings.Cut(in, " ")
		}
		in = indexes.ReplaceAllString(quoted.ReplaceAllString(in, `"…"`), "[]")
		in = numbers.ReplaceAllString(symbolForm.ReplaceAllString(in, "{…}"), "0")
		in = strings.Join(strings.Fields(code+" "+in), " ")
		return strings.ToValidUTF8(in[:min(len(in), 160)], "")
	}
	where := indexes.ReplaceAllString(d.where, "[]")
	return fmt.Sprintf("%s %s %s | %s | %s", d.request.method, kindOf(d.request.path), where, plain(d.upstream), plain(d.ours))
}

// kindOf is the resource and subresource that a path names.
func kindOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return path
	}
	if len(parts) > 2 && parts[0] == "namespaces" && parts[2] != "status" && parts[2] != "finalize" {
		parts = parts[2:]
	}
	if len(parts) > 2 {
		return parts[0] + "/" + parts[2]
	}
	return parts[0]
}
