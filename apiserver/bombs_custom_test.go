package apiserver_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"proa/apiserver/admit"
	"proa/store"
)

const (
	definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	blobs       = "/apis/shop.example/v1/namespaces/a/blobs"
)

// definition is of a kind whose spec has that schema.
func definition(plural, spec string) string {
	return `{"metadata":{"name":"` + plural + `.shop.example"},"spec":{"group":"shop.example","scope":"Namespaced","names":{"plural":"` + plural + `","kind":"` + strings.ToUpper(plural[:1]) + plural[1:] + `"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":` + spec + `}}}}]}}`
}

func quoted(text string) string {
	out, _ := json.Marshal(text) // a string always has a form
	return string(out)
}

// ruled is a schema of a list of lists of texts with rules, without a word on how long they may be unless limits says it.
func ruled(limits string, rules ...string) string {
	var all []string
	for _, r := range rules {
		all = append(all, `{"rule":`+quoted(r)+`}`)
	}
	return `{"type":"object","x-kubernetes-validations":[` + strings.Join(all, ",") + `],"properties":{"text":{"type":"string"` + limits + `},"list":{"type":"array"` + limits + `,"items":{"type":"array"` + limits + `,"items":{"type":"string"` + limits + `}}}}}`
}

// blob is an object of the kind of blobs.
func blob(spec string) string {
	return `{"apiVersion":"shop.example/v1","kind":"Blobs","metadata":{"name":"b"},"spec":` + spec + `}`
}

func repeated(open, each, shut string, times int) string {
	return open + strings.TrimSuffix(strings.Repeat(each+",", times), ",") + shut
}

// numbered is an object of many keys.
func numbered(keys int, value string) string {
	var b strings.Builder
	for i := range keys {
		fmt.Fprintf(&b, `,"k%d":%s`, i, value)
	}
	return "{" + b.String()[1:] + "}"
}

// leveled is a schema of objects in objects.
func leveled(levels int, each string) string {
	return strings.Repeat(`{"type":"object",`+each+`"properties":{"a":`, levels) + `{"type":"string"}` + strings.Repeat("}}", levels)
}

// Definitions that would make every write of their objects costly are refused when they are written.
func TestDefinitionsThatCostMuch(t *testing.T) {
	p := newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) })
	all := func(levels int) string {
		text := "x0 == 'a'"
		for i := levels - 1; i >= 0; i-- {
			text = fmt.Sprintf("self.list.all(y%d, y%d.all(x%d, %s))", i, i, i, text)
		}
		return text
	}
	long := strings.Repeat("'a' + ", 3000) + "'a' == self.text"
	for _, b := range []bomb{
		{name: "lists in lists without limits", body: definition("blobs", ruled("", all(2))), want: "422 "},
		{name: "a pattern over a list without limits", body: definition("blobs", ruled("", "self.list.all(y, y.all(x, x.matches('(a+)+$')))")), want: "422 "},
		{name: "a pattern that is none", body: definition("blobs", ruled("", "self.text.matches('(')")), want: "422 "},
		{name: "a pattern that repeats repeats", body: definition("blobs", ruled(`,"maxLength":10,"maxItems":10`, "self.text.matches('((a{1,1000}){1,1000}){1,1000}')")), want: "422 "},
		{name: "a long rule", body: definition("blobs", ruled("", long)), want: "422 "},
		{name: "a deep rule", body: definition("blobs", ruled("", strings.Repeat("(", 5000)+"true"+strings.Repeat(")", 5000))), want: "422 "},
		{name: "a rule of nots", body: definition("blobs", ruled("", strings.Repeat("!", 5000)+"true")), want: "201 "},
		{name: "lists in a rule", body: definition("blobs", ruled("", repeated("[", "[1,2,3].all(x, [1,2,3].all(y, [1,2,3].all(z, x+y+z > 0)))", "].all(x, x)", 60))), want: "201 "},
		{name: "many rules that cost little each", body: definition("blobs", ruled(`,"maxLength":1000,"maxItems":100`, strings.Split(strings.TrimSuffix(strings.Repeat("self.list.all(y, y.all(x, x.contains('a'))) ; ", 200), " ; "), " ; ")...)), want: "422 "},
		{name: "a message that costs much", body: definition("blobs", strings.Replace(ruled("", "true"), `"rule":"true"`, `"rule":"true","messageExpression":"self.list.map(y, y.map(x, x + x).join('')).join('')"`, 1)), want: "422 "},
		{name: "a deep schema", body: definition("blobs", leveled(1000, "")), want: "201 "},
		{name: "a deep schema with a rule on each level", body: definition("ruled", leveled(100, `"x-kubernetes-validations":[{"rule":"has(self.a)"}],`)), want: "201 "},
		{name: "a deep schema with defaults", body: definition("filled", leveled(1000, `"default":{},`)), want: "201 "},
		{name: "a schema of many fields", body: definition("wide", `{"type":"object","properties":`+numbered(20_000, `{"type":"string"}`)+`}`), want: "201 "},
		{name: "a schema of many values", body: definition("values", `{"type":"string","enum":[`+repeated("", `"x"`, "", 50_000)+`]}`), want: "201 "},
		{name: "many versions", body: strings.Replace(definition("old", `{"type":"string"}`), `"versions":[`, `"versions":[`+repeated("", `{"name":"v2","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object"}}}`, "", 5000)+",", 1), want: "422 "},
		{name: "many columns", body: strings.Replace(definition("columns", `{"type":"string"}`), `"name":"v1",`, `"name":"v1","additionalPrinterColumns":`+repeated("[", `{"name":"c","type":"string","jsonPath":"`+strings.Repeat("..x", 50)+`"}`, "]", 5000)+",", 1), want: "201 "},
		{name: "many names", body: strings.Replace(definition("named", `{"type":"string"}`), `"plural"`, `"shortNames":`+repeated("[", `"n"`, "]", 100_000)+`,"plural"`, 1), want: "201 "},
	} {
		t.Run(b.name, func(t *testing.T) {
			b.method, b.path, b.contentType = "POST", definitions+"?dryRun=All", "application/json"
			p.explode(t, b)
		})
	}
}

// Custom objects that are deep, wide, or become many times what was sent are refused or served.
func TestCustomBombs(t *testing.T) {
	p := newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) })
	p.define(nil)
	const name = `{"type":"string"}`
	big, huge := quoted(strings.Repeat("x", 10_000)), numbered(1000, `{"a":"b"}`)
	schema := `{"type":"object","properties":{"free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"any":{"x-kubernetes-preserve-unknown-fields":true},"map":{"type":"object","additionalProperties":` + name + `},
"set":{"type":"array","x-kubernetes-list-type":"set","items":` + name + `},"keyed":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"items":{"type":"object","required":["k"],"properties":{"k":` + name + `,"v":` + name + `}}},
"unique":{"type":"array","items":` + name + `},"pattern":{"type":"string","pattern":"^(a+)+$"},"texts":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string","default":` + big + `}}}},
"objects":{"type":"array","items":{"type":"object","properties":{"a":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"default":` + huge + `}}}},
"nulls":{"type":"object","additionalProperties":{"type":"string","default":` + big + `}}}}`
	for _, made := range []string{"/api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", definitions + "\n\n" + definition("blobs", schema)} {
		if code := p.do("POST " + made).StatusCode; code != http.StatusCreated {
			t.Fatalf("%.100s: %d", made, code)
		}
	}
	p.settle("blobs.shop.example", "Established=True")
	for _, b := range []bomb{
		{name: "deep", body: blob(`{"free":{"a":` + nested("[", "]", 9000) + `}}`), want: "201 "},
		{name: "deep objects", body: blob(`{"free":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000) + `}`), want: "201 "},
		{name: "too deep", body: blob(`{"any":` + nested("[", "]", 10_001) + `}`), want: "400 "},
		{name: "deep where nobody looks", body: blob(`{"x":` + nested("[", "]", 9000) + `}`), want: "201 "},
		{name: "many empty lists", body: blob(`{"any":` + repeated("[", "[]", "]", 300_000) + `}`), want: "201 "},
		{name: "many empty objects", body: blob(`{"any":` + repeated("[", "{}", "]", 300_000) + `}`), want: "201 "},
		{name: "many keys", body: blob(`{"map":` + numbered(20_000, `"v"`) + `}`), want: "201 "},
		{name: "many unknown fields", body: blob(numbered(50_000, "1")), want: "201 "},
		{name: "many unknown fields, strictly", path: "?fieldValidation=Strict", body: blob(numbered(50_000, "1")), want: "400 "},
		{name: "many doubles", path: "?fieldValidation=Strict", body: blob(repeated("{", `"x":1`, "}", 300_000)), want: "400 "},
		{name: "a long set", body: blob(`{"set":[` + strings.ReplaceAll(strings.Trim(numbered(10_000, ""), "{}"), ":", "") + `]}`), want: "201 "},
		{name: "a long map of keys", body: blob(`{"keyed":[` + keyed(10_000) + `]}`), want: "201 "},
		{name: "a long text for a pattern", body: blob(`{"pattern":"` + strings.Repeat("a", 1<<20) + `b"}`), want: "422 "},
		{name: "defaults of many", body: blob(`{"texts":` + repeated("[", "{}", "]", 900_000) + `}`), want: "413 "},
		{name: "defaults of many objects", body: blob(`{"objects":` + repeated("[", "{}", "]", 900_000) + `}`), want: "413 "},
		{name: "defaults for many nulls", body: blob(`{"nulls":` + numbered(150_000, "null") + `}`), want: "413 "},
		{name: "defaults of many, applied", method: "PATCH", path: "/b?fieldManager=m", contentType: "application/apply-patch+yaml", body: blob(`{"texts":` + repeated("[", "{}", "]", 500_000) + `}`), want: `422 Blobs.shop.example "b" is invalid: <nil>: Forbidden: Request entity too large: limit is 3145728 for what`},
		{name: "defaults of few", body: blob(`{"texts":` + repeated("[", "{}", "]", 300) + `,"objects":[{},{"a":{}}]}`), want: "201 "},
		{name: "many errors", body: blob(`{"set":` + repeated("[", "1", "]", 60_000) + `}`), want: `422 Blobs.shop.example "b" is invalid: `},
	} {
		t.Run(b.name, func(t *testing.T) {
			b.method, b.contentType = cmp.Or(b.method, "POST"), cmp.Or(b.contentType, "application/json")
			b.path = blobs + cmp.Or(b.path, "?x=y") + "&dryRun=All"
			p.explode(t, b)
		})
	}
}

func keyed(items int) string {
	var b strings.Builder
	for i := range items {
		fmt.Fprintf(&b, `,{"k":"%d","v":"x"}`, i)
	}
	return b.String()[1:]
}

// What was wrong with a large object before its schema asked for more, and is not changed, is let pass however much it is
// (KEP-4008). What a change adds is refused, however much that is.
func TestManyErrorsThatWereThere(t *testing.T) {
	p := newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) })
	p.define(nil)
	loose := definition("blobs", `{"type":"object","properties":{"texts":{"type":"array","items":{"type":"string"}},"n":{"type":"integer"}}}`)
	strict := strings.Replace(loose, `"items":{"type":"string"}`, `"items":{"type":"string","maxLength":1}`, 1)
	merge := "\nContent-Type: application/merge-patch+json\n\n"
	for _, step := range []struct{ request, want string }{
		{"POST /api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "201 "},
		{"POST " + definitions + "\n\n" + loose, "201 "},
		{"POST " + blobs + "\n\n" + blob(`{"texts":`+repeated("[", `"ab"`, "]", 3000)+`}`), "201 "},
		{"PATCH " + definitions + "/blobs.shop.example" + merge + strict, "200 "},
		{"PATCH " + blobs + "/b" + merge + `{"spec":{"n":1}}`, "200 "},
		{"PATCH " + blobs + "/b" + merge + `{"spec":{"texts":` + repeated("[", `"cd"`, "]", 3000) + `}}`, `422 Blobs.shop.example "b" is invalid: [spec.texts[0]: Too long: may not be more than 1 byte`},
		{"PATCH " + blobs + "/b" + merge + `{"spec":{"texts":` + repeated("[", `"c"`, "]", 3000) + `}}`, "200 "},
	} {
		if strings.HasPrefix(step.request, "POST "+blobs) {
			p.settle("blobs.shop.example", "Established=True")
		}
		r := p.do(step.request)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.StatusCode, " ", messageOf(body)); !strings.HasPrefix(got, step.want) {
			t.Errorf("%.150s\ngot  %.300s\nwant %s", step.request, got, step.want)
		}
	}
}
