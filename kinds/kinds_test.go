package kinds_test

import (
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds"
	kindsresource "proa/kinds/resource"
)

// A resource is found by the store's name, by Go's type, and by what each of its versions calls it.
func TestTableFindsRows(t *testing.T) {
	table := kinds.Builtin()
	events := table.ByTable("events")
	if events == nil || table.Of(events.New()) != events {
		t.Fatal("events are not found by table or type")
	}
	for _, group := range []string{"", "events.k8s.io"} {
		gv := schema.GroupVersion{Group: group, Version: "v1"}
		if table.ByResource(gv.WithResource("events")) != events || table.ByKind(gv.WithKind("Event")) != events {
			t.Errorf("events are not found in group %q", group)
		}
	}
	if table.ByTable("events.events.k8s.io") != nil || table.ByKind(schema.GroupVersionKind{Version: "v2", Kind: "Event"}) != nil {
		t.Error("found what is not served")
	}
}

func TestTwoRowsOfOneNamePanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New took two rows for pods")
		}
	}()
	pods := kinds.Builtin().ByTable("pods")
	kinds.New(pods, pods)
}

// A row that nobody resolved still renders, as of now.
func TestTimedCells(t *testing.T) {
	cell := kindsresource.Timed(func(now time.Time) any { return now.Sub(now).String() })
	data, err := json.Marshal([]any{"a", cell})
	if err != nil || string(data) != `["a","0s"]` {
		t.Errorf("marshalled %s, %v", data, err)
	}
	if cells := kindsresource.Cells([]any{"a", cell}, now); cells[1] != "0s" {
		t.Errorf("resolved %v", cells)
	}
}
