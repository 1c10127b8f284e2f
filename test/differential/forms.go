package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"proa/kinds"
)

// Forms are questions of which each changes nothing: every way to ask for a list, a watch, or another shape of an object.
// They are asked of a few objects that are always the same, so each can be asked at any time and beside the others.

const configMaps = "/api/v1/namespaces/{ns}/configmaps"

// formsSetup makes the objects. The last answers teach the symbols {rv list} (of a list of all), {rv list#2} and
// {continue list} (of its first page).
func formsSetup() []request {
	object := func(name, app string) request {
		return request{"POST", configMaps, []string{"Content-Type: application/json"}, `{"metadata":{"name":"` + name + `","labels":{"app":"` + app + `"}},"data":{"k":"v"}}`}
	}
	relabel := request{"PATCH", configMaps + "/b", []string{"Content-Type: application/merge-patch+json"}, `{"metadata":{"labels":{"app":"a"}}}`}
	return append(setup(), object("a", "a"), object("b", "b"), object("c", "a"), object("d", "b"), relabel,
		request{"DELETE", configMaps + "/d", nil, ""}, request{"GET", configMaps, nil, ""}, request{"GET", configMaps + "?limit=1", nil, ""})
}

// option is a parameter and the values that it is tried with; "" leaves it out.
type option struct {
	name   string
	values []string
}

// combined are all queries that can be made of some options.
func combined(options ...option) []string {
	all := []string{""}
	for _, o := range options {
		var more []string
		for _, query := range all {
			for _, value := range o.values {
				if value == "" {
					more = append(more, query)
				} else {
					more = append(more, strings.TrimPrefix(query+"&"+o.name+"="+value, "&"))
				}
			}
		}
		all = more
	}
	return all
}

func get(path string, header ...string) request { return request{"GET", path, header, ""} }

// asked of one path with many queries.
func asked(path string, queries []string) []request {
	out := make([]request, len(queries))
	for i, q := range queries {
		out[i] = get(strings.TrimSuffix(path+"?"+q, "?"))
	}
	return out
}

// forms lists the questions.
func forms() []request {
	return slices.Concat(formsOfLists(), formsOfWatches(), formsOfParameters(), formsOfShapes(), formsOfNames(), formsOfSelectors(), formsOfTimeouts())
}

// revisions, and how they are to be matched.
var (
	revisions = option{"resourceVersion", []string{"", "0", "{rv list}", "{rv ConfigMap/a}", "bad", "-1"}}
	matching  = option{"resourceVersionMatch", []string{"", "NotOlderThan", "Exact", "Bad"}}
	initial   = option{"sendInitialEvents", []string{"", "true", "false"}}
)

func formsOfLists() []request {
	queries := combined(revisions, matching, option{"limit", []string{"", "1"}}, option{"continue", []string{"", "{continue list}", "bad"}}, initial)
	queries = append(queries, combined(option{"resourceVersion", []string{"999999999"}}, matching, option{"limit", []string{"", "1"}})...)
	return asked(configMaps, queries)
}

func formsOfWatches() []request {
	queries := combined(option{"watch", []string{"1"}}, option{"timeoutSeconds", []string{"1"}}, revisions, matching, initial, option{"allowWatchBookmarks", []string{"", "true"}})
	queries = append(queries, combined(option{"watch", []string{"1"}}, option{"timeoutSeconds", []string{"1"}}, option{"limit", []string{"", "1"}},
		option{"continue", []string{"{continue list}", "bad"}}, option{"resourceVersion", []string{"", "0"}})...)
	queries = append(queries, combined(option{"watch", []string{"1"}}, option{"timeoutSeconds", []string{"1"}}, option{"resourceVersion", []string{"999999999"}},
		option{"resourceVersionMatch", []string{"NotOlderThan"}}, initial)...)
	selected := combined(option{"watch", []string{"1"}}, option{"timeoutSeconds", []string{"1"}}, option{"resourceVersion", []string{"", "{rv ConfigMap/a}"}},
		option{"labelSelector", []string{"", "app%3Da", "app%3Db", "x%20y"}}, option{"fieldSelector", []string{"", "metadata.name%3Db", "metadata.name!%3Db", "bad%3D1"}})
	return asked(configMaps, append(queries, selected...))
}

func formsOfParameters() []request {
	var queries []string
	for _, values := range []option{
		{"watch", []string{"", "true", "false", "0", "t", "junk", "TRUE"}},
		{"limit", []string{"-1", "x", "0", "9223372036854775807", "9223372036854775808", "1.5", "%201"}},
		{"timeoutSeconds", []string{"0", "-1", "x", "9223372036854775807"}},
		{"allowWatchBookmarks", []string{"junk", "1", "false"}},
		{"sendInitialEvents", []string{"junk", "1", "0"}},
		{"resourceVersion", []string{"00", "%200", "1.0", "18446744073709551615", "18446744073709551616", "9223372036854775808", "0x1"}},
		{"continue", []string{"bad", "%7B%7D", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "eyJ2IjoiYmFkIiwicnYiOjEsInN0YXJ0IjoiYSJ9",
			token(0, "a\x00"), token(-1, "a\x00"), token(-2, "a\x00"), token(1, "../x\x00"), token(-1, "zz\x00"), token(-1, "b\x00") + "&limit=1"}},
		{"unknown", []string{"1"}},
		{"pretty", []string{"true", "junk"}},
	} {
		for _, value := range values.values {
			switch q := values.name + "=" + value; values.name {
			case "watch":
				queries = append(queries, q+"&timeoutSeconds=1")
			case "timeoutSeconds":
				queries = append(queries, q)
			case "continue", "pretty":
				queries = append(queries, q)
			default:
				queries = append(queries, q, q+"&watch=1&timeoutSeconds=1")
			}
		}
	}
	queries = append(queries, "timeoutSeconds=-1&watch=1", "timeoutSeconds=x&watch=1", "timeoutSeconds=9223372036854775807&watch=1", "limit=1&limit=2", "resourceVersion=bad&resourceVersion=0", "watch=false&watch=1", "LIMIT=1", "limit", "&&", "a=%zz", ";limit=1", "limit=1;watch=1")
	return asked(configMaps, queries)
}

// token is one that tells where a list goes on, as servers make them.
func token(revision int, start string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"v":"meta.k8s.io/v1","rv":%d,"start":%q}`, revision, start)))
}

const tableForm = "application/json;as=Table;v=v1;g=meta.k8s.io"

// shapes are what an Accept header may ask for.
var shapes = []string{
	"", "*/*", "application/*", "application/json", "application/yaml", protobufType, "application/cbor", "text/plain", "junk", "application/json;q=0", "application/json;q=0.5,application/yaml",
	"application/json;stream=watch", protobufType + ";stream=watch", "application/json;stream=junk", "application/yaml;stream=watch", "application/cbor-seq", "application/json;charset=utf-8", "application/json;pretty=1",
	tableForm, "application/json;as=Table;v=v1beta1;g=meta.k8s.io", "application/json;as=Table;v=v2;g=meta.k8s.io", "application/json;as=Table;v=v1", "application/json;as=Table;g=meta.k8s.io;v=v1,application/json",
	"application/yaml;as=Table;v=v1;g=meta.k8s.io", protobufType + ";as=Table;v=v1;g=meta.k8s.io", tableForm + ";stream=watch",
	"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
	protobufType + ";as=PartialObjectMetadata;v=v1;g=meta.k8s.io", protobufType + ";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "application/yaml;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
	"application/json;as=PartialObjectMetadata;v=v1;g=other", "application/json;as=Junk;v=v1;g=meta.k8s.io", "application/json;as=Junk;v=v1;g=meta.k8s.io, application/json;as=Table;v=v1;g=meta.k8s.io",
	"text/html, application/json", "text/html",
}

func formsOfShapes() []request {
	var out []request
	for _, shape := range shapes {
		var header []string
		if shape != "" {
			header = []string{"Accept: " + shape}
		}
		typed := append([]string{"Content-Type: application/json"}, header...)
		out = append(out, get(configMaps, header...), get(configMaps+"/a", header...), get(configMaps+"/missing", header...),
			get(configMaps+"?watch=1&timeoutSeconds=1&resourceVersion={rv ConfigMap/a}", header...),
			get(configMaps+"?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", header...),
			request{"POST", configMaps + "?dryRun=All", typed, `{"metadata":{"name":"n"}}`}, request{"DELETE", configMaps + "/a?dryRun=All", header, ""},
			request{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", typed, `{"spec":{"nonResourceAttributes":{"path":"/x","verb":"get"}}}`},
			get("/api/v1/namespaces/{ns}/nothing", header...), get("/version", header...), get("/api/v1", header...))
	}
	for _, include := range []string{"None", "Metadata", "Object", "junk", "none", ""} {
		out = append(out, get(configMaps+"?includeObject="+include, "Accept: "+tableForm), get(configMaps+"/a?includeObject="+include, "Accept: "+tableForm),
			get(configMaps+"?watch=1&timeoutSeconds=1&includeObject="+include, "Accept: "+tableForm), get(configMaps+"?includeObject="+include))
	}
	return out
}

// formsOfNames ask for one object as if it were many, and the old way.
func formsOfNames() []request {
	one := combined(option{"resourceVersion", []string{"", "0", "{rv ConfigMap/a}", "999999999", "bad"}}, matching)
	out := asked(configMaps+"/a", one)
	out = append(out, asked(configMaps+"/a", []string{"watch=1", "watch=1&fieldSelector=metadata.name%3Db", "limit=1", "labelSelector=app%3Db", "continue=bad", "timeoutSeconds=x", "sendInitialEvents=true"})...)
	for _, path := range []string{"/api/v1/watch/namespaces/{ns}/configmaps", "/api/v1/watch/namespaces/{ns}/configmaps/a", "/api/v1/watch/namespaces/{ns}/configmaps/missing"} {
		out = append(out, asked(path, combined(option{"timeoutSeconds", []string{"1"}}, option{"watch", []string{"", "0"}}, option{"resourceVersion", []string{"", "{rv ConfigMap/a}"}},
			option{"fieldSelector", []string{"", "metadata.name%3Da", "metadata.name!%3Da", "metadata.name%3Db", "metadata.namespace%3Dx"}}))...)
	}
	out = append(out, get("/api/v1/watch/configmaps?timeoutSeconds=1&labelSelector=no%3Dbody"), get("/api/v1/watch"), get("/api/v1/watch/namespaces"+"?timeoutSeconds=1&labelSelector=no%3Dbody"),
		get("/api/v1/watch/nothing"), request{"POST", "/api/v1/watch/namespaces/{ns}/configmaps", nil, "{}"}, request{"DELETE", "/api/v1/watch/namespaces/{ns}/configmaps/a", nil, ""},
		get("/api/v1/namespaces/{ns}/configmaps/a/watch"), get("/api/v1/proxy/namespaces/{ns}/pods/a"), get("/api/v1/proxy"))
	for _, q := range append(combined(revisions, matching), "continue=bad", "limit=-1", "limit=x", "fieldSelector=bad%3D1", "labelSelector=x%20y", "labelSelector=app%3Da&limit=1", "watch=1", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan") {
		out = append(out, request{"DELETE", configMaps + "?dryRun=All&" + q, nil, ""})
	}
	return out
}

// labelForms and fieldForms are selectors, most of them wrong.
var (
	labelForms = []string{"app=a", "app==a", "app!=a", "app", "!app", "app in (a,b)", "app notin (a)", "app in ()", "app in", "app in (a", "app in a", "app,", ",app", "app=a,app=b", "=a", "app=", "app!=",
		"app=a b", "app>1", "app<1", "app>x", "app>1.5", "app=-a", "-app", "a/b/c", "A.com/x=1", "Ä=1", "app=" + strings.Repeat("x", 64), strings.Repeat("k", 64) + "=x", "app=a;b", "app exists", "in (a)", "notin", "app notin", "!app=a", "app=a in (b)", "()", "app in (a,,b)", "app in (,)", " app = a ", "app\x00", "app=\"a\""}
	fieldForms = []string{"metadata.name=a", "metadata.name==a", "metadata.name!=a", "metadata.name", "metadata.name=", "=a", "metadata.name=a,metadata.name=b", "metadata.name=a,", ",metadata.name=a", "metadata.name>a", "metadata.name in (a)",
		"metadata.namespace={ns}", "metadata.namespace=other", "metadata.namespace!={ns}", "metadata.name=a,metadata.namespace={ns}", "metadata.uid=x", "metadata.labels.app=a", "data.k=v", "kind=ConfigMap", "metadata.name=a\\,b", "metadata.name=a\\", "metadata.name=a\\x",
		"metadata.name=../x", "metadata.name=a/b", "metadata.name=.", "metadata.name=" + strings.Repeat("x", 300), "name=a", "Metadata.Name=a", "metadata.name=a!=b", "metadata.name=a=b"}
)

// formsOfSelectors try selectors on one kind, and fields on all kinds.
func formsOfSelectors() []request {
	var out []request
	for _, s := range labelForms {
		out = append(out, get(configMaps+"?labelSelector="+escape(s)))
	}
	for _, s := range fieldForms {
		out = append(out, get(configMaps+"?fieldSelector="+escape(s)), get("/api/v1/namespaces/{ns}/pods?fieldSelector="+escape(s)))
	}
	for path, fields := range collections() {
		for _, field := range append(fields, "metadata.name", "metadata.namespace", "name", "spec.nodeName", "status.phase", "status.replicas", "no.such") {
			out = append(out, get(path+"?fieldSelector="+field+"%3Dnobody-is-called-so"))
		}
	}
	slices.SortFunc(out[len(labelForms)+2*len(fieldForms):], func(a, b request) int { return strings.Compare(a.path, b.path) })
	return out
}

// collections are the paths of all kinds that can be listed, with the fields that they are selected by.
func collections() map[string][]string {
	out := map[string][]string{}
	for _, r := range kinds.Builtin().Rows() {
		if r.Virtual || r.Verbs != nil && !slices.Contains(r.Verbs, "list") || r.Group == "metrics.k8s.io" {
			continue
		}
		t := target{gvk: r.GroupVersionKind(), plural: r.Name, namespaced: r.Namespaced}
		out[t.collection()] = slices.Clone(r.FieldLabels)
		for _, s := range r.Served {
			if s.Deprecated == "" { // upstream serves the others no more
				t.gvk.Group, t.gvk.Version = s.Group, s.Version
				out[t.collection()] = append(slices.Collect(maps.Keys(s.FieldLabels)), r.FieldLabels...)
			}
		}
	}
	return out
}

func formsOfTimeouts() []request {
	var out []request
	for _, timeout := range []string{"", "0", "0s", "1", "1s", "10m", "-1s", "junk", "1ns", "1s1"} {
		out = append(out, get(configMaps+"?timeout="+timeout), get(configMaps+"/a?timeout="+timeout), get(configMaps+"?watch=1&timeoutSeconds=1&timeout="+timeout), get("/version?timeout="+timeout),
			get("/nothing?timeout="+timeout), request{"DELETE", configMaps + "/a?dryRun=All&timeout=" + timeout, nil, ""})
	}
	return out
}
