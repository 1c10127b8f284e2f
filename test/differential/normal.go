package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// normalise replaces in a decoded body what this server chose by symbols, in the order of the objects' parts, and leaves out
// what is no answer to the request. It changes value and returns it.
func (s *symbols) normalise(value any) any {
	if list, ok := value.(map[string]any); ok {
		sortUnnamed(list["items"])
		sortUnnamed(list["rows"])
		if status, ok := list["status"].(map[string]any); ok && list["kind"] == "SelfSubjectRulesReview" {
			sortRules(status["resourceRules"])
			sortRules(status["nonResourceRules"])
		}
	}
	s.learnAll(value, "")
	return s.replace(value, "")
}

// sortUnnamed puts the objects of a list, or of a table's rows, that servers gave random names behind the others, in the order
// in which they were written.
func sortUnnamed(items any) {
	list, _ := items.([]any)
	written := func(item any) string {
		meta := metaOfItem(item)
		if name, _ := meta["name"].(string); uidForm.MatchString(name) {
			return fmt.Sprintf("%20v", meta["resourceVersion"])
		}
		return ""
	}
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(written(a), written(b)) })
}

// sortRules puts the rules of a user in an order: upstream's is that in which its caches hold the roles, which is none.
func sortRules(rules any) {
	list, _ := rules.([]any)
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(text(a), text(b)) })
}

func metaOfItem(item any) map[string]any {
	object, _ := item.(map[string]any)
	if inner, ok := object["object"].(map[string]any); ok {
		object = inner
	}
	meta, _ := object["metadata"].(map[string]any)
	return meta
}

// learnAll walks a body for the metadata of objects. kind is that of the list around.
func (s *symbols) learnAll(value any, kind string) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			s.learnAll(item, kind)
		}
	case map[string]any:
		own, _ := v["kind"].(string)
		if own == "" {
			own = kind
		}
		if meta, ok := v["metadata"].(map[string]any); ok {
			s.learnMeta(meta, own)
		}
		inner := strings.TrimSuffix(own, "List")
		if inner == own {
			inner = ""
		}
		for _, key := range []string{"items", "rows", "object"} {
			if v[key] != nil {
				s.learnAll(v[key], inner)
			}
		}
	}
}

func (s *symbols) learnMeta(meta map[string]any, kind string) {
	name, _ := meta["name"].(string)
	prefix, ok := meta["generateName"].(string)
	prefix = prefix[:min(len(prefix), longestPrefix)]
	if ok && len(name) == len(prefix)+5 && strings.HasPrefix(name, prefix) {
		s.prefix(prefix)
		s.learn("name", s.text(prefix), name)
	}
	hint := kind + "/" + s.text(name)
	if uid, ok := meta["uid"].(string); ok && uidForm.MatchString(uid) {
		s.learn("uid", hint, uid)
	}
	if rv, ok := meta["resourceVersion"].(string); ok && rv != "" && rv != "0" {
		if name == "" {
			meta["resourceVersion"] = s.add("rv", "list", rv)
		} else {
			meta["resourceVersion"] = s.learn("rv", hint, rv)
		}
	}
	if next, ok := meta["continue"].(string); ok && next != "" {
		meta["continue"] = s.add("continue", "list", next)
	}
}

// ages are cells such as "3s" and "4m2s".
var ages = regexp.MustCompile(`^([0-9]+[smhdy])+$`)

func (s *symbols) replace(value any, key string) any {
	switch v := value.(type) {
	case string:
		return s.replaceText(v, key)
	case float64:
		if (key == "nodePort" || key == "healthCheckNodePort") && v >= 30000 && v <= 33999 {
			return s.port(v)
		}
		return v
	case []any:
		if key == "managedFields" {
			sortManagers(v)
		}
		for i := range v {
			v[i] = s.replace(v[i], key)
		}
		return v
	case map[string]any:
		for _, k := range sortedKeys(v) {
			child := v[k]
			replaced := s.replace(child, k)
			delete(v, k)
			v[s.text(k)] = replaced
		}
	}
	return value
}

func (s *symbols) replaceText(v, key string) any {
	switch key {
	case "clusterIP", "clusterIPs":
		return s.text(s.address(v))
	case "message", "reason":
		return s.message(v)
	case "cells":
		if ages.MatchString(v) {
			return "{age}"
		}
		return s.text(cellPort.ReplaceAllString(s.address(v), ":{port}/"))
	case "resourceVersion", "continue":
		return v // learnMeta saw to it
	}
	return s.text(v)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sortManagers puts managedFields in an order that does not depend on when, to the second, requests came.
func sortManagers(entries []any) {
	id := func(entry any) string {
		e, _ := entry.(map[string]any)
		return fmt.Sprint(e["manager"], " ", e["operation"], " ", e["subresource"], " ", e["apiVersion"])
	}
	slices.SortStableFunc(entries, func(a, b any) int { return strings.Compare(id(a), id(b)) })
}

// render turns a body of JSON or YAML into normalised YAML, and leaves other text.
func (s *symbols) render(body []byte) string {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		if err := yaml.Unmarshal(body, &value); err != nil || !isTree(value) {
			return s.message(string(body))
		}
	}
	text, err := yaml.Marshal(s.normalise(value))
	if err != nil {
		return string(body)
	}
	return string(text)
}

func isTree(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// renderEvents normalises the events of a watch that was answered.
func (s *symbols) renderEvents(body []byte) string {
	var events []map[string]any
	for _, line := range strings.Split(string(body), "\n") {
		var event map[string]any
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		if object, _ := event["object"].(map[string]any); event["type"] == "BOOKMARK" {
			meta, _ := object["metadata"].(map[string]any)
			if notes, _ := meta["annotations"].(map[string]any); notes[metav1.InitialEventsAnnotationKey] == nil {
				continue // sent when the server finds time
			}
		}
		events = append(events, event)
	}
	events = withoutLastWrites(events)
	for i := range events {
		s.normalise(events[i]) // in its place
	}
	text, err := yaml.Marshal(events)
	if err != nil {
		return string(body)
	}
	return string(text)
}
