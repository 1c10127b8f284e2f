package apiserver_test

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"proa/apiserver/admit"
	"proa/store"
)

// within is a schema of a text and a list of texts, both limited, with rules.
func within(rules ...string) string {
	var all []string
	for _, r := range rules {
		all = append(all, `{"rule":`+quoted(r)+`}`)
	}
	return `{"type":"object","x-kubernetes-validations":[` + strings.Join(all, ",") + `],"properties":{"text":{"type":"string","maxLength":30000},
"list":{"type":"array","maxItems":700,"items":{"type":"string","maxLength":2}}}}`
}

// Rules whose definition is let pass, for it could cost ten millions at most, end at the limits of what an object may cost: a
// million for one rule, ten millions for all of them (upstream's PerCallLimit and RuntimeCELCostBudget). A tenth of a byte that
// is looked at costs one.
func TestRulesThatCostMuch(t *testing.T) {
	const square, long = "self.list.all(x, self.list.all(y, x + y != 'a'))", "self.list.all(x, !self.text.contains(x))"
	p := newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) })
	p.define(nil)
	if code := p.do("POST /api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}").StatusCode; code != http.StatusCreated {
		t.Fatal(code)
	}
	for plural, spec := range map[string]string{
		"squares": within(square), "texts": within(long), "manies": within(slices.Repeat([]string{long}, 11)...),
		"changes": within(strings.ReplaceAll(long, "self.text", "oldSelf.text")),
	} {
		r := p.do("POST " + definitions + "\n\n" + definition(plural, spec))
		if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %d %.600s, %v", plural, r.StatusCode, body, err)
		}
		p.settle(plural+".shop.example", "Established=True")
	}
	call := func(kind, rule string) string {
		return `422 ` + kind + `.shop.example "b" is invalid: spec: Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ` + rule
	}
	const budget = `422 Manies.shop.example "b" is invalid: spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run`
	const tried, applied = "?dryRun=All", "/b?fieldManager=m&dryRun=All"
	spec := func(items, length int) string {
		return `{"list":` + repeated("[", `"x"`, "]", items) + `,"text":"` + strings.Repeat("a", length) + `"}`
	}
	for _, b := range []struct {
		bomb
		plural, spec string
	}{
		{bomb{name: "each with each, few", want: "201 ", path: tried}, "squares", spec(10, 0)},
		{bomb{name: "each with each, many", want: call("Squares", square), path: tried}, "squares", spec(700, 0)},
		{bomb{name: "a long text, few", want: "201 ", path: tried}, "texts", spec(250, 30_000)},
		{bomb{name: "a long text, many", want: call("Texts", long), path: tried}, "texts", spec(400, 30_000)},
		{bomb{name: "a long text, applied", want: call("Texts", long), method: "PATCH", path: applied}, "texts", spec(400, 30_000)},
		{bomb{name: "many rules, few", want: "201 ", path: tried}, "manies", spec(250, 30_000)},
		{bomb{name: "many rules, many", want: budget, path: tried}, "manies", spec(315, 30_000)},
		{bomb{name: "many rules, applied", want: budget, method: "PATCH", path: applied}, "manies", spec(315, 30_000)},
		{bomb{name: "not changed", want: "201 "}, "changes", spec(400, 30_000)},
		{bomb{name: "changed", want: call("Changes", strings.ReplaceAll(long, "self.text", "oldSelf.text")), method: "PATCH", path: "/b"}, "changes", spec(401, 30_000)},
	} {
		t.Run(b.name, func(t *testing.T) {
			b.method, b.path = cmp.Or(b.method, "POST"), "/apis/shop.example/v1/namespaces/a/"+b.plural+b.path
			b.contentType = map[string]string{"POST": "application/json", "PATCH": "application/merge-patch+json"}[b.method]
			if strings.HasSuffix(b.path, applied) {
				b.contentType = "application/apply-patch+yaml"
			}
			b.body = strings.Replace(blob(b.spec), "Blobs", strings.ToUpper(b.plural[:1])+b.plural[1:], 1)
			p.explode(t, b.bomb)
		})
	}
}
