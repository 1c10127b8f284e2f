package main

import (
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// Only the last write of a pod that goes at once is left out.
func TestLastWritesOfPods(t *testing.T) {
	event := func(is, kind, meta string) string {
		return "{type: " + is + ", object: {kind: " + kind + ", metadata: {" + meta + "}}}"
	}
	row := func(is, meta string) string {
		return "{type: " + is + ", object: {kind: Table, rows: [{object: {kind: PartialObjectMetadata, metadata: {" + meta + "}}}]}}"
	}
	at := "deletionGracePeriodSeconds: 0, uid: "
	for _, c := range []struct {
		events []string
		left   []int
	}{
		{[]string{event("ADDED", "Pod", "uid: a"), event("MODIFIED", "Pod", at+"a"), event("ADDED", "Pod", "uid: b"), event("DELETED", "Pod", at+"a")}, []int{0, 2, 3}},
		{[]string{event("MODIFIED", "Pod", at+"a"), event("DELETED", "Pod", at+"b")}, []int{0, 1}},
		{[]string{event("MODIFIED", "Pod", at+"a"), event("MODIFIED", "Pod", at+"a"), event("DELETED", "Pod", at+"a")}, []int{0, 2}},
		{[]string{event("MODIFIED", "Pod", "finalizers: [f], "+at+"a"), event("DELETED", "Pod", at+"a")}, []int{0, 1}},
		{[]string{event("MODIFIED", "Pod", "uid: a"), event("DELETED", "Pod", at+"a")}, []int{0, 1}},
		{[]string{event("MODIFIED", "Pod", at+"a"), event("DELETED", "Pod", "uid: a")}, []int{0, 1}},
		{[]string{row("MODIFIED", at+"a"), row("DELETED", at+"a")}, []int{1}},
		{[]string{event("MODIFIED", "Job", at+"a"), event("DELETED", "Job", at+"a")}, []int{0, 1}},
	} {
		var events, want []map[string]any
		for i, text := range c.events {
			var e map[string]any
			if err := yaml.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			if events = append(events, e); slices.Contains(c.left, i) {
				want = append(want, e)
			}
		}
		if got := withoutLastWrites(events); text(got) != text(want) {
			t.Errorf("got\n%s\nwant\n%s", text(got), text(want))
		}
	}
}
