package main

import "slices"

// withoutLastWrites leaves out that a pod whose time is over at once was written once more before it went. Upstream writes when
// it is to be gone, which is at once, and then takes it away, so that its watchers see one change more; Proa does both in one
// write, so that nothing can stop it in between. What the pod was like in the end stands in the event of its removal.
func withoutLastWrites(events []map[string]any) []map[string]any {
	goes := func(event map[string]any, is string) (uid any) {
		object, _ := event["object"].(map[string]any)
		meta := metaOfItem(object)
		if event["type"] != is || object["kind"] != "Pod" || meta["deletionGracePeriodSeconds"] != float64(0) || meta["finalizers"] != nil {
			return nil
		}
		return meta["uid"]
	}
	var out []map[string]any
	for i, event := range events {
		uid := goes(event, "MODIFIED")
		next := slices.IndexFunc(events[i+1:], func(later map[string]any) bool {
			object, _ := later["object"].(map[string]any)
			return uid != nil && metaOfItem(object)["uid"] == uid
		})
		if next < 0 || goes(events[i+1+next], "DELETED") == nil {
			out = append(out, event)
		}
	}
	return out
}
