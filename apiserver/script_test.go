package apiserver_test

import (
	"net/netip"
	"testing"

	"github.com/cockroachdb/datadriven"

	"proa/apiserver/admit"
	"proa/apiserver/admit/policy"
	"proa/apiserver/admit/webhook"
	"proa/apiserver/callout"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/store"
)

// TestScripts runs the requests in testdata/requests, each file against a server of its own without admission.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/requests", func(t *testing.T, path string) { runScript(t, path, newPlace(t)) })
}

// TestAdmission runs the requests in testdata/admission against servers with all admission steps. Free addresses are
// taken in order.
func TestAdmission(t *testing.T) {
	datadriven.Walk(t, "testdata/admission", func(t *testing.T, path string) {
		runScript(t, path, newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) }))
	})
}

func allSteps(t testing.TB, s store.Store) []admit.Step {
	t.Helper()
	caller, err := callout.New(callout.Config{Source: s})
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := webhook.New(webhook.Config{Caller: caller, Authorizer: asUser{}})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := policy.New(policy.Config{Authorizer: asUser{}, Kinds: kinds.Builtin(), Scheme: kinds.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := admit.Steps(admit.Config{Authorizer: asUser{}, Kind: kinds.Builtin().ByKind, MutateByPolicies: policies.Mutate, ValidateByPolicies: policies.Validate,
		CheckParameters: policies.CheckParameters,
		ServiceCIDRs:    []netip.Prefix{netip.MustParsePrefix("10.96.0.0/24")}, Encode: encode.ToStore,
		Pick: func(int) int { return 0 }, MutateByWebhooks: hooks.Mutate, ValidateByWebhooks: hooks.Validate})
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// runScript knows these commands. "request" sends the request and prints the answer; with "managed" the ownership of fields
// too, with "quiet" the code alone. "webhook NAME" says what the webhook at https://WEBHOOK/NAME answers, and "asked" prints
// what webhooks were asked since.
func runScript(t *testing.T, path string, p *place) {
	hooks := newHookServer(t)
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "webhook":
			return hooks.set(d.CmdArgs[0].Key, d.Input)
		case "asked":
			return hooks.asked(d.HasArg("whole"))
		case "request":
			out := hooks.hide(p.show(p.do(hooks.name(d.Input)), d.HasArg("managed")))
			if d.HasArg("quiet") {
				return out[:4]
			}
			return out
		}
		t.Fatalf("unknown command %q", d.Cmd)
		return ""
	})
}
