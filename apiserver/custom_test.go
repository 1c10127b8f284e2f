package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/custom"
	"proa/client"
	"proa/controllers/customresource"
	"proa/controllers/garbagecollector"
	"proa/kinds/apiextensions"
	"proa/reconcile"
	"proa/store"
)

// stillClock is the place's clock for controllers: it stands still, and what is to come later comes by the machine's.
type stillClock struct{ reconcile.SystemClock }

func (stillClock) Now() time.Time { return epoch }

// define lets definitions become kinds at a place: what follows them, and their controller, run until the test ends.
func (p *place) define(call custom.Call) {
	p.t.Helper()
	made, err := custom.New(custom.Config{Store: p.store, Kinds: p.kinds, Call: call})
	if err != nil {
		p.t.Fatal(err)
	}
	host, err := reconcile.New(reconcile.Config{
		Client: func(identity string) client.Client {
			return p.server.Local(auth.User{Name: identity, Groups: []string{auth.GroupAuthenticated}})
		},
		Kinds: p.kinds, Clock: stillClock{},
	}, customresource.New(p.kinds), garbagecollector.New(p.kinds, nil))
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- made.Run(ctx) }()
	go func() { ended <- host.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				p.t.Error(err)
			}
		}
	})
}

// settle waits until a definition is as a condition says it, or, with "gone", is no more and nothing is served of it.
func (p *place) settle(name, condition string) {
	p.t.Helper()
	kind, status, _ := strings.Cut(condition, "=")
	for range 2000 {
		snap := p.store.Snapshot()
		item := snap.Get(store.Key{Table: apiextensions.Table, Name: name})
		if item == nil && kind == "gone" && p.kinds.ByTable(name) == nil {
			return
		}
		if item != nil {
			d := item.Value().(*apiextensionsv1.CustomResourceDefinition)
			c := apiextensions.Condition(d, apiextensionsv1.CustomResourceDefinitionConditionType(kind))
			if c != nil && string(c.Status) == status {
				return
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond) // the rows follow the store a moment later
		_ = p.store.WaitFor(ctx, snap.Revision()+1)
		cancel()
	}
	p.t.Fatalf("definition %s did not become %s", name, condition)
}

// reviewer answers conversion reviews in the test: it moves spec.host of v1 to spec.hostPort of v2, and notes what it was asked.
type reviewer struct {
	asked []string
	spoil string // how the answer is made wrong
}

func (r *reviewer) call(_ context.Context, hook *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error) {
	var review map[string]any
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	request := review["request"].(map[string]any)
	var converted []any
	var named []string
	for _, o := range request["objects"].([]any) {
		obj := o.(map[string]any)
		meta := obj["metadata"].(map[string]any)
		named = append(named, fmt.Sprint(meta["name"]))
		spec := obj["spec"].(map[string]any)
		spec["via"] = obj["apiVersion"]
		obj["apiVersion"] = request["desiredAPIVersion"]
		switch r.spoil {
		case "uid":
			meta["uid"] = "other"
		case "annotations":
			meta["annotations"] = map[string]any{"converted": "yes"}
			meta["finalizers"] = []any{"example.com/never"}
		}
		converted = append(converted, obj)
	}
	r.asked = append(r.asked, fmt.Sprintf("%s to %v: %s", *hook.URL, request["desiredAPIVersion"], strings.Join(named, " ")))
	if r.spoil == "fewer" {
		converted = converted[1:]
	}
	response := map[string]any{"uid": request["uid"], "convertedObjects": converted, "result": map[string]any{"status": "Success"}}
	if r.spoil == "failure" {
		response["result"] = map[string]any{"status": "Failure", "message": "cannot convert that"}
	}
	delete(review, "request")
	review["response"] = response
	return json.Marshal(review)
}

// TestCustom runs the requests in testdata/custom, each file against a server of its own with all admission steps. Beside
// "request" and "webhook" there are
//
//	settle NAME CONDITION=STATUS   waits for a definition; CONDITION is "gone" when it has been deleted
//	asked [spoil=HOW]              prints the conversion reviews since the last time, and says how further answers are made wrong
//	called [whole]                 prints the admission reviews since the last time
func TestCustom(t *testing.T) {
	datadriven.Walk(t, "testdata/custom", func(t *testing.T, path string) {
		p, hook, hooks := newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) }), &reviewer{}, newHookServer(t)
		p.define(hook.call)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "request":
				out := hooks.hide(p.show(p.do(hooks.name(d.Input)), d.HasArg("managed")))
				if d.HasArg("quiet") {
					return out[:4]
				}
				return out
			case "settle":
				p.settle(d.CmdArgs[0].Key, d.CmdArgs[1].String())
				return ""
			case "webhook":
				return hooks.set(d.CmdArgs[0].Key, d.Input)
			case "called":
				return hooks.asked(d.HasArg("whole"))
			case "asked":
				lines := slices.Clone(hook.asked)
				hook.asked, hook.spoil = nil, ""
				d.MaybeScanArgs(t, "spoil", &hook.spoil)
				return strings.Join(append(lines, ""), "\n")
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}
