package apiserver_test

import (
	"net/netip"
	"testing"

	"github.com/cockroachdb/datadriven"

	"proa/apiserver/admit"
	"proa/apiserver/encode"
)

// TestScripts runs the requests in testdata/requests, each file against a server of its own without admission.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/requests", func(t *testing.T, path string) { runScript(t, path) })
}

// TestAdmission runs the requests in testdata/admission against servers with all admission steps. Free addresses are
// taken in order.
func TestAdmission(t *testing.T) {
	steps, err := admit.Steps(admit.Config{ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/24")}, Encode: encode.ToStore,
		Pick: func(int) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	datadriven.Walk(t, "testdata/admission", func(t *testing.T, path string) { runScript(t, path, steps...) })
}

// runScript knows one command: "request" sends the request and prints the answer; with "managed" the ownership of
// fields too, with "quiet" the code alone.
func runScript(t *testing.T, path string, steps ...admit.Step) {
	p := newPlace(t, steps...)
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "request" {
			t.Fatalf("unknown command %q", d.Cmd)
		}
		out := p.show(p.do(d.Input), d.HasArg("managed"))
		if d.HasArg("quiet") {
			return out[:4]
		}
		return out
	})
}
