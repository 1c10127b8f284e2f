package apiserver_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"proa/store"
)

// BenchmarkMemoryPerPod reports what a pod holds in memory once it was created, patched, read and listed, and what it
// would hold as the store's bytes alone.
func BenchmarkMemoryPerPod(b *testing.B) {
	const pods = 5000
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range b.N {
		p := newPlace(b)
		empty := live()
		report := func(after string) { b.ReportMetric(float64(live()-empty)/pods, after+"-B/pod") }
		for n := range pods {
			name := fmt.Sprintf(`"a","name":"pod-%d"`, n)
			p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", protobufType, strings.Replace(benchPod, `"web-5d4f8c7b9-"`, name, 1))
		}
		report("created")
		for n := range pods {
			p.serve("PATCH", fmt.Sprintf("/api/v1/namespaces/default/pods/pod-%d/status", n), "application/strategic-merge-patch+json", protobufType,
				`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","reason":"R"}]}}`)
		}
		report("patched")
		p.serve("GET", "/api/v1/pods", "", protobufType, "")
		p.serve("GET", "/api/v1/pods?labelSelector=app%3Dweb", "", protobufType, "")
		report("listed")
		size := 0
		for item := range p.store.Snapshot().List("pods", "", store.Key{}) {
			size += len(item.Data)
		}
		b.ReportMetric(float64(size)/pods, "stored-B/pod")
	}
}
