package apiserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"proa/apiserver/admit"
	"proa/store"
)

// BenchmarkWideCustomObject writes custom objects with as many keys as 3 MiB hold, in each way there is. Twice the keys should
// take twice the time.
func BenchmarkWideCustomObject(b *testing.B) {
	p := newPlaceWith(b, func(s store.Store) []admit.Step { return allSteps(b, s) })
	p.define(nil)
	for _, made := range []string{"/api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}",
		definitions + "\n\n" + definition("blobs", `{"type":"object","properties":{"map":{"type":"object","additionalProperties":{"type":"string"}},"free":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}`)} {
		if code := p.do("POST " + made).StatusCode; code != http.StatusCreated {
			b.Fatalf("%.100s: %d", made, code)
		}
	}
	p.settle("blobs.shop.example", "Established=True")
	for _, field := range []string{"map", "free"} {
		for _, keys := range []int{20_000, 80_000} {
			body := func(n int) string {
				spec := fmt.Sprintf(`{"%s":%s}`, field, numbered(keys, fmt.Sprintf(`"v%d"`, n)))
				return strings.Replace(blob(spec), `"b"`, fmt.Sprintf(`"%s%d"`, field, keys), 1)
			}
			path := fmt.Sprintf("%s/%s%d", blobs, field, keys)
			run := func(name string, write func(n int)) {
				b.Run(fmt.Sprintf("%s/%s=%d", name, field, keys), func(b *testing.B) {
					b.ReportAllocs()
					for n := 0; b.Loop(); n++ {
						write(n)
					}
				})
			}
			run("create", func(int) { p.serve("POST", blobs+"?dryRun=All", "application/json", "application/json", body(0)) })
			p.serve("POST", blobs, "application/json", "application/json", body(0))
			run("update", func(n int) { p.serve("PATCH", path, "application/merge-patch+json", "application/json", body(n)) })
			run("apply", func(n int) {
				p.serve("PATCH", path+"?fieldManager=m&force=true", "application/apply-patch+yaml", "application/json", body(n))
			})
			run("label", func(n int) {
				p.serve("PATCH", path, "application/merge-patch+json", "application/json", fmt.Sprintf(`{"metadata":{"labels":{"n":"%d"}}}`, n))
			})
		}
	}
}
