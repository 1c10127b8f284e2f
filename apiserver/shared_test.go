package apiserver_test

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"

	"proa/apiserver/encode"
	"proa/kinds"
	"proa/store"
)

// TestVersionsStay: versions of a pod share parts of each other, and none changes when the next is written.
func TestVersionsStay(t *testing.T) {
	p := newPlace(t)
	w, err := p.store.Watch("pods", p.store.Snapshot().Revision())
	if err != nil {
		t.Fatal(err)
	}
	const strategic, merge = "application/strategic-merge-patch+json", "application/merge-patch+json"
	p.serve("POST", "/api/v1/namespaces/default/pods", "application/json", "application/json",
		`{"metadata":{"name":"a","labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"one","ports":[{"containerPort":80}]}]}}`)
	const pod = "/api/v1/namespaces/default/pods/a"
	patches := []struct{ path, kind, body string }{
		{pod + "/status", strategic, `{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`},
		{pod, strategic, `{"metadata":{"labels":{"tier":"x"}},"spec":{"containers":[{"name":"c","image":"two"}]}}`},
		{pod + "/status", merge, `{"status":{"conditions":null,"podIP":"10.0.0.1"}}`},
		{pod, merge, `{"metadata":{"annotations":{"a":"b"}}}`},
		{pod + "/status", strategic, `{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`},
		{pod, strategic, `{"spec":{"tolerations":[{"key":"k","operator":"Exists"}]}}`},
		{pod, "application/json-patch+json", `[{"op":"add","path":"/metadata/labels/more","value":"y"}]`},
	}
	for _, c := range patches {
		p.serve("PATCH", c.path, c.kind, "application/json", c.body)
	}
	decode := encode.Decoder(kinds.Builtin())
	seen := 0
	for seen <= len(patches) {
		events, err := w.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			seen++
			i := e.Item
			fresh := store.NewItem(i.Key, i.Revision, i.Created, i.Data, nil, decode)
			if !equality.Semantic.DeepEqual(i.Value(), fresh.Value()) {
				t.Errorf("at %d:\n kept %+v\nbytes %+v", i.Revision, i.Value(), fresh.Value())
			}
		}
	}
}
