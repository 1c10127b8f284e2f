package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// generator makes a history request by request; what it knows of the state is what upstream answered.
type generator struct {
	r       *rand.Rand
	targets []*target
	focus   []*target // the few kinds of this history, so that requests meet
	objects []*object
	next    string // symbol of the last continue token
	lists   []string
	since   []string         // revisions to watch from
	drawn   map[*target]bool // kinds with a name that the server draws: two would come in any order
	unnamed map[*target]bool // kinds with an object without a name, for which servers draw any: pages would hold any
}

// object is one that upstream holds, as last seen, with symbols.
type object struct {
	target *target
	name   string
	tree   map[string]any
}

func newGenerator(seed uint64, number int, all []*target) *generator {
	g := &generator{r: rand.New(rand.NewPCG(seed, uint64(number))), targets: all, drawn: map[*target]bool{}, unnamed: map[*target]bool{}}
	for range 1 + g.r.IntN(3) {
		g.focus = append(g.focus, pick(g.r, all))
	}
	return g
}

// looks are questions for the shared objects of the history's kinds, so that it knows them.
func (g *generator) looks() []request {
	var out []request
	for i, t := range g.focus {
		for _, name := range t.shared {
			if !slices.Contains(g.focus[:i], t) {
				out = append(out, request{"GET", t.collection() + "/" + name, nil, ""})
			}
		}
	}
	return out
}

// setup is how every history begins: its namespace, and the account that pods need.
func setup() []request {
	return []request{
		{"POST", "/api/v1/namespaces", []string{"Content-Type: application/json"}, `{"metadata":{"name":"{ns}","labels":{"history":"{ns}"}}}`},
		{"POST", "/api/v1/namespaces/{ns}/serviceaccounts", []string{"Content-Type: application/json"}, `{"metadata":{"name":"default"}}`},
	}
}

// action is one sort of request; weight is how often it comes.
type action struct {
	weight int
	make   func(*generator) *request // nil: nothing to ask this of
}

// actions are all sorts of requests.
var actions = []action{
	{26, (*generator).create},
	{9, (*generator).update},
	{5, (*generator).mergePatch},
	{5, (*generator).jsonPatch},
	{8, (*generator).strategicPatch},
	{14, (*generator).apply},
	{5, (*generator).get},
	{7, (*generator).list},
	{1, (*generator).watch},
	{5, (*generator).remove},
	{2, (*generator).removeAll},
	{6, (*generator).status},
	{3, (*generator).scale},
	{4, (*generator).special},
	{2, (*generator).odd},
}

// request makes the next request.
func (g *generator) request() request {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for {
		n := g.r.IntN(total)
		for _, a := range actions {
			if n -= a.weight; n < 0 {
				if made := a.make(g); made != nil {
					g.tame(made)
					return *made
				}
				break
			}
		}
	}
}

// learn takes in what upstream answered.
func (g *generator) learn(r request, a answer) {
	body, _ := tree(a.body).(map[string]any)
	meta, _ := body["metadata"].(map[string]any)
	if next, ok := meta["continue"].(string); ok {
		g.next = next
	}
	if rv, ok := meta["resourceVersion"].(string); ok && strings.HasPrefix(rv, "{rv list") {
		g.lists = append(g.lists, rv)
	} else if ok && strings.HasPrefix(rv, "{rv ") {
		g.since = append(g.since, rv)
	}
	if strings.Contains(r.path, "dryRun=") || strings.Contains(r.body, `"dryRun"`) {
		return
	}
	t, name := g.named(r.path)
	if t == nil || t.virtual {
		return
	}
	if n, ok := meta["name"].(string); ok && r.method == "POST" {
		name = n
		g.unnamed[t] = g.unnamed[t] || n == "{uid}"
	}
	i := slices.IndexFunc(g.objects, func(o *object) bool { return o.target.table == t.table && o.name == name })
	gone := a.code == 404 || r.method == "DELETE" && a.code == 200 && body["kind"] == "Status"
	switch {
	case gone && i >= 0:
		g.objects = slices.Delete(g.objects, i, i+1)
	case a.code >= 300 || body["kind"] != t.gvk.Kind || name == "":
	case i >= 0:
		g.objects[i] = &object{t, name, body}
	default:
		g.objects = append(g.objects, &object{t, name, body})
	}
}

// named finds what a path is about.
func (g *generator) named(path string) (*target, string) {
	path, _, _ = strings.Cut(path, "?")
	for _, t := range g.focus {
		rest, found := strings.CutPrefix(path, t.collection())
		if !found || rest != "" && rest[0] != '/' {
			continue
		}
		name, sub, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if sub != "" && sub != "status" && sub != "approval" && sub != "resize" && sub != "ephemeralcontainers" {
			return nil, ""
		}
		return t, name
	}
	return nil, ""
}

// some is an object that exists, mostly; now and then one that may not.
func (g *generator) some() *object {
	if len(g.objects) > 0 && chance(g.r, 94) {
		return pick(g.r, g.objects)
	}
	t := g.stored()
	if t == nil {
		return nil
	}
	return &object{t, t.name(pick(g.r, []string{"a", "b", "missing"})), g.fresh(t)}
}

// stored is a kind of this history that is stored.
func (g *generator) stored() *target {
	for range 4 {
		if t := pick(g.r, g.focus); !t.virtual {
			return t
		}
	}
	return nil
}

// fresh is a seed with a name.
func (g *generator) fresh(t *target) map[string]any {
	obj := clone(pick(g.r, t.seeds))
	if t.virtual {
		return obj
	}
	meta := metaOf(obj)
	meta["name"] = t.name(pick(g.r, []string{"a", "a", "b", "b", "c", "d"}))
	if !t.namespaced {
		labels, _ := meta["labels"].(map[string]any)
		labels["history"] = "{ns}"
	}
	switch {
	case chance(g.r, 4) && !g.drawn[t]:
		g.drawn[t] = true
		delete(meta, "name")
		meta["generateName"] = t.name("g-")
	case chance(g.r, 5) && t.namespaced:
		meta["namespace"] = pick(g.r, []string{"{ns}", "other"})
	}
	return obj
}

func metaOf(obj map[string]any) map[string]any {
	meta, ok := obj["metadata"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		obj["metadata"] = meta
	}
	return meta
}

// query makes the options that all writes have.
func (g *generator) query(extra ...string) string {
	options := slices.Clone(extra)
	if chance(g.r, 7) {
		options = append(options, "dryRun="+pick(g.r, []string{"All", "All", "All", "Some", ""}))
	}
	if chance(g.r, 15) {
		options = append(options, "fieldValidation="+pick(g.r, []string{"Strict", "Strict", "Warn", "Ignore", "Bad"}))
	}
	if chance(g.r, 20) {
		options = append(options, "fieldManager="+pick(g.r, []string{"m1", "m2", "kubectl"}))
	}
	if len(options) == 0 {
		return ""
	}
	return "?" + strings.Join(options, "&")
}

// headers are those of a write: the body's type, and the answer's.
func (g *generator) headers(contentType string) []string {
	out := []string{"Content-Type: " + contentType}
	return append(out, g.accept(false)...)
}

func (g *generator) accept(list bool) []string {
	if !chance(g.r, 14) {
		return nil
	}
	forms := []string{
		"application/yaml", protobufType, protobufType, "application/json", "text/plain", "*/*",
		"application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
	}
	if list {
		forms = append(forms, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Bad;v=v1;g=meta.k8s.io")
	} else {
		forms = append(forms, "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
	}
	return []string{"Accept: " + pick(g.r, forms)}
}

func pretty(value any) string {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		panic("differential: a tree of JSON cannot be written: " + err.Error())
	}
	return string(text)
}

func (g *generator) create() *request {
	t := pick(g.r, g.focus)
	obj := g.fresh(t)
	for range pick(g.r, []int{0, 1, 1, 1, 2, 3}) {
		change(g.r, obj, t.goType)
	}
	return g.write("POST", t.collection(), obj)
}

// write sends a whole object in one of the forms that servers take.
func (g *generator) write(method, path string, obj map[string]any) *request {
	contentType, body := "application/json", pretty(obj)
	switch n := g.r.IntN(100); {
	case n < 8:
		contentType = protobufType
	case n < 16:
		if text, err := yaml.Marshal(obj); err == nil {
			contentType, body = "application/yaml", strings.TrimSpace(string(text))
		}
	case n < 17:
		contentType = "text/plain"
	case n < 18:
		body = body[:g.r.IntN(len(body))]
	}
	return &request{method, path + g.query(), g.headers(contentType), body}
}

func (o *object) path() string { return o.target.collection() + "/" + escape(o.name) }

// escape makes a text part of a URL, but for the symbols in it.
func escape(text string) string {
	var b strings.Builder
	for {
		at := symbolForm.FindStringIndex(text)
		if at == nil {
			return b.String() + url.PathEscape(text)
		}
		b.WriteString(url.PathEscape(text[:at[0]]) + text[at[0]:at[1]])
		text = text[at[1]:]
	}
}

// copy is the object as a client would send it back.
func (g *generator) copy(o *object) map[string]any {
	obj := clone(o.tree)
	meta := metaOf(obj)
	obj["apiVersion"], obj["kind"] = o.target.gvk.GroupVersion().String(), o.target.gvk.Kind
	if !chance(g.r, 4) {
		delete(meta, "managedFields")
	}
	if !chance(g.r, 10) {
		delete(meta, "creationTimestamp")
	}
	if chance(g.r, 40) {
		delete(meta, "resourceVersion")
	}
	if chance(g.r, 40) {
		delete(meta, "uid")
	}
	return obj
}

func (g *generator) update() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	obj := g.copy(o)
	for range pick(g.r, []int{0, 1, 1, 1, 2}) {
		change(g.r, obj, o.target.goType)
	}
	return g.write("PUT", o.path(), obj)
}

func (g *generator) get() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	path := o.path()
	if chance(g.r, 15) {
		path += "?resourceVersion=" + pick(g.r, []string{"bad", "999999999", "-1"})
	}
	return &request{"GET", path, g.accept(false), ""}
}

func (g *generator) list() *request {
	t := g.stored()
	if t == nil {
		return nil
	}
	return &request{"GET", t.collection() + g.selection(t), g.accept(true), ""}
}

var labelSelectors = []string{"app=a", "app in (a,b)", "app!=a", "app", "!app", "app notin (b)", "app==a,tier=web", "bad selector", "app=Bad Value", "a in ()", "x>1"}

// selection are the options of lists and collections.
func (g *generator) selection(t *target) string {
	var options []string
	labels := t.own()
	if chance(g.r, 30) {
		labels = strings.TrimPrefix(labels+","+pick(g.r, labelSelectors), ",")
	}
	if labels != "" {
		options = append(options, "labelSelector="+escape(labels))
	}
	if chance(g.r, 20) {
		keys := append([]string{"metadata.name", "metadata.namespace", "bad.field"}, t.fields...)
		field := pick(g.r, keys) + pick(g.r, []string{"=", "!=", "=="}) + pick(g.r, []string{"a", "{ns}", "", "Running", "n1", "Bad Value", "true"})
		options = append(options, "fieldSelector="+escape(field))
	}
	if chance(g.r, 25) && !g.unnamed[t] {
		options = append(options, "limit="+pick(g.r, []string{"1", "2", "1", "0", "-1", "x"}))
	}
	if g.next != "" && chance(g.r, 30) {
		options = append(options, "continue="+g.next)
	} else if chance(g.r, 1) {
		options = append(options, "continue=bad")
	}
	if chance(g.r, 10) {
		options = append(options, "resourceVersion="+pick(g.r, append([]string{"bad", "1", "999999999"}, g.lists...)))
	}
	if chance(g.r, 8) {
		options = append(options, "resourceVersionMatch="+pick(g.r, []string{"Exact", "NotOlderThan", "Bad"}))
	}
	if len(options) == 0 {
		return ""
	}
	return "?" + strings.Join(options, "&")
}

func (g *generator) watch() *request {
	t := g.stored()
	if t == nil || len(g.since) == 0 || g.unnamed[t] {
		return nil
	}
	options := []string{"watch=true", "timeoutSeconds=1"}
	if own := t.own(); own != "" {
		options = append(options, "labelSelector="+own)
	} else if chance(g.r, 30) {
		options = append(options, "labelSelector="+escape(pick(g.r, labelSelectors)))
	}
	switch g.r.IntN(5) {
	case 0:
		options = append(options, "sendInitialEvents=true", "resourceVersionMatch=NotOlderThan", "allowWatchBookmarks=true")
	case 1:
	default:
		options = append(options, "resourceVersion="+pick(g.r, g.since))
	}
	return &request{"GET", t.collection() + "?" + strings.Join(options, "&"), g.accept(false), ""}
}

// deleteOptions is the body of a delete, mostly none.
func (g *generator) deleteOptions(o *object) string {
	if chance(g.r, 45) {
		return ""
	}
	options := map[string]any{"kind": "DeleteOptions", "apiVersion": "v1"}
	if chance(g.r, 50) {
		options["propagationPolicy"] = pick(g.r, []string{"Foreground", "Background", "Orphan", "Bad"})
	}
	if chance(g.r, 30) {
		options["gracePeriodSeconds"] = pick(g.r, []any{0, 1, 30, -1})
	}
	if chance(g.r, 10) {
		options["dryRun"] = []string{pick(g.r, []string{"All", "Bad"})}
	}
	if chance(g.r, 8) {
		options["orphanDependents"] = chance(g.r, 50)
	}
	if o != nil && chance(g.r, 25) {
		meta := metaOf(o.tree)
		options["preconditions"] = pick(g.r, []any{
			map[string]any{"uid": meta["uid"]}, map[string]any{"resourceVersion": meta["resourceVersion"]},
			map[string]any{"uid": "wrong"}, map[string]any{"resourceVersion": "1"},
		})
	}
	return pretty(options)
}

func (g *generator) remove() *request {
	o := g.some()
	if o == nil {
		return nil
	}
	path := o.path()
	if chance(g.r, 15) {
		path += "?" + pick(g.r, []string{"propagationPolicy=Foreground", "propagationPolicy=Orphan", "gracePeriodSeconds=0", "gracePeriodSeconds=5", "dryRun=All", "dryRun=Bad", "propagationPolicy=Bad", "gracePeriodSeconds=x"})
	}
	return &request{"DELETE", path, g.headers("application/json"), g.deleteOptions(o)}
}

func (g *generator) removeAll() *request {
	t := g.stored()
	if t == nil || t.gvk.Kind == "Namespace" {
		return nil
	}
	return &request{"DELETE", t.collection() + g.selection(t), g.headers("application/json"), g.deleteOptions(nil)}
}
