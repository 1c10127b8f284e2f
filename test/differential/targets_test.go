package main

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/kinds"
)

// seedless are served kinds that no seed is of, each with the reason.
var seedless = map[schema.GroupVersionKind]string{
	{Version: "v1", Kind: "ComponentStatus"}:                           "is read only, and tells of programs that run beside the API server or not",
	{Group: "metrics.k8s.io", Version: "v1beta1", Kind: "NodeMetrics"}: "upstream's API server does not serve it: metrics-server does",
	{Group: "metrics.k8s.io", Version: "v1beta1", Kind: "PodMetrics"}:  "upstream's API server does not serve it: metrics-server does",
}

// TestEveryKindHasASeed holds seeds.yaml to the table of kinds, in all their versions that upstream serves too.
func TestEveryKindHasASeed(t *testing.T) {
	all, err := targets(kinds.Builtin(), kinds.NewScheme())
	if err != nil {
		t.Fatal(err)
	}
	seeded := map[schema.GroupVersionKind]bool{}
	for _, target := range all {
		seeded[target.gvk] = true
	}
	check := func(gvk schema.GroupVersionKind) {
		if seeded[gvk] == (seedless[gvk] != "") {
			t.Errorf("%s: has a seed: %v, is said to have none: %q; add a seed to seeds.yaml, or a reason to seedless", gvk, seeded[gvk], seedless[gvk])
		}
	}
	for _, row := range kinds.Builtin().Rows() {
		check(row.GroupVersionKind())
		for _, s := range row.Served {
			if s.Deprecated == "" { // upstream serves the others no more
				check(schema.GroupVersionKind{Group: s.Group, Version: s.Version, Kind: row.Kind})
			}
		}
	}
}

// TestWideKindsAreOnlyTried holds the generator to writes that leave other histories alone.
func TestWideKindsAreOnlyTried(t *testing.T) {
	all, err := targets(kinds.Builtin(), kinds.NewScheme())
	if err != nil {
		t.Fatal(err)
	}
	webhooks, crds := only(all, []string{"validatingwebhookconfigurations"})[0], only(all, []string{"customresourcedefinitions"})[0]
	g := newGenerator(1, 1, []*target{webhooks, crds})
	g.focus = []*target{webhooks, crds}
	seed := pretty(webhooks.seeds[0])
	for _, c := range []struct {
		request request
		want    string
	}{
		{request{"POST", webhooks.collection(), nil, seed}, webhooks.collection()},
		{request{"POST", webhooks.collection() + "?dryRun=", nil, `{"webhooks":[]}`}, webhooks.collection() + "?dryRun=All"},
		{request{"PATCH", webhooks.collection() + "/a?force=true", nil, `{"webhooks":[{"name":"x"}]}`}, webhooks.collection() + "/a?force=true&dryRun=All"},
		{request{"PATCH", webhooks.collection() + "/a", nil, `{"metadata":{"labels":{"a":"b"}}}`}, webhooks.collection() + "/a"},
		{request{"PATCH", webhooks.collection() + "/a", nil, `{"$patch":"replace"}`}, webhooks.collection() + "/a?dryRun=All"},
		{request{"PATCH", webhooks.collection() + "/a", nil, `[{"op":"remove","path":"/webhooks/0/rules"}]`}, webhooks.collection() + "/a?dryRun=All"},
		{request{"PATCH", webhooks.collection() + "/a", nil, `[{"op":"remove","path":"/metadata/labels"}]`}, webhooks.collection() + "/a"},
		{request{"DELETE", webhooks.collection() + "/a", nil, ""}, webhooks.collection() + "/a"},
		{request{"DELETE", crds.collection() + "/a", nil, `{"gracePeriodSeconds":1}`}, crds.collection() + "/a?dryRun=All"},
		{request{"PUT", crds.collection() + "/a", nil, "{}"}, crds.collection() + "/a?dryRun=All"},
		{request{"GET", crds.collection(), nil, ""}, crds.collection()},
	} {
		r := c.request
		if g.tame(&r); r.path != c.want {
			t.Errorf("%s %s %s: becomes %s, want %s", c.request.method, c.request.path, c.request.body, r.path, c.want)
		}
	}
}
