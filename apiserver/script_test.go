package apiserver_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts runs the requests in testdata, each file against a server of its own. "request" sends one and prints the
// answer; with "managed" the ownership of fields too, with "quiet" nothing but the code.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/requests", func(t *testing.T, path string) {
		p := newPlace(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "request":
				out := p.show(p.do(d.Input), d.HasArg("managed"))
				if d.HasArg("quiet") {
					return out[:4]
				}
				return out
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}
