package main

import "slices"

// withoutLastWrites leaves out that a pod whose time is over at once was written once more before it went. Upstream writes when
// it is to be gone, which is at once, and then takes it away, so that its watchers see one change more; Proa does both in one
// write, so that nothing can stop it in between. What the pod was like in the end stands in the event of its removal.
func withoutLastWrites(events []map[string]any) []map[string]any {
	goes := func(event map[string]any, is string) (uid any) {
		kind, meta := shownIn(event)
		if event["type"] != is || kind != "Pod" && kind != "PartialObjectMetadata" || meta["deletionGracePeriodSeconds"] != float64(0) || meta["finalizers"] != nil {
			return nil
		}
		return meta["uid"]
	}
	var out []map[string]any
	for i, event := range events {
		uid := goes(event, "MODIFIED")
		next := slices.IndexFunc(events[i+1:], func(later map[string]any) bool {
			_, meta := shownIn(later)
			return uid != nil && meta["uid"] == uid
		})
		if next < 0 || goes(events[i+1+next], "DELETED") == nil {
			out = append(out, event)
		}
	}
	return out
}

// shownIn is the kind and the metadata of what an event shows, be it in the row of a table.
func shownIn(event map[string]any) (kind any, meta map[string]any) {
	object, _ := event["object"].(map[string]any)
	if rows, _ := object["rows"].([]any); len(rows) == 1 {
		row, _ := rows[0].(map[string]any)
		object, _ = row["object"].(map[string]any)
	}
	return object["kind"], metaOfItem(object)
}
