package apiserver_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"proa/apiserver/encode"
)

// mostForBomb is what a request of 3 MiB at most may make the server take from the heap, all in all.
const mostForBomb = 1 << 30

// bomb is a small request that asks for much.
type bomb struct {
	name         string
	method, path string
	contentType  string
	body         string
	want         string // code and the beginning of the message
}

func nested(open, close string, levels int) string {
	return strings.Repeat(open, levels) + strings.Repeat(close, levels)
}

// aliases is YAML in which every line names the one before it nine times.
func aliases(levels int) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\na0: &a0 [x]\n"
	for i := 1; i <= levels; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return text
}

// deepSchema is a definition in protobuf, whose schema says "not" of itself so many times.
func deepSchema(levels int) string {
	const not, schemaOfVersion, openAPI, versions, spec = 28, 4, 1, 7, 2 // numbers of fields
	var inner []byte
	field := func(number int, content []byte) []byte {
		head := binary.AppendUvarint(nil, uint64(number)<<3|2)
		return append(binary.AppendUvarint(head, uint64(len(content))), content...)
	}
	// From the inside out, each level is written behind what it holds, and all is turned round at the end.
	size := 0
	var heads [][]byte
	for range levels {
		head := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(not)<<3|2), uint64(size))
		heads = append(heads, head)
		size += len(head)
	}
	slices.Reverse(heads)
	for _, head := range heads {
		inner = append(inner, head...)
	}
	object := field(spec, field(versions, field(schemaOfVersion, field(openAPI, inner))))
	unknown := append(field(1, append(field(1, []byte("apiextensions.k8s.io/v1")), field(2, []byte("CustomResourceDefinition"))...)), field(2, object)...)
	return "k8s\x00" + string(unknown)
}

// bombed is where most requests go.
const bombed = "/api/v1/namespaces/a/configmaps"

func bombs() []bomb {
	patch := func(name, kind, body, want string) bomb {
		return bomb{name, "PATCH", bombed + "/b", "application/" + kind, body, want}
	}
	long := strings.Repeat("x", encode.BodyLimit)
	all := []bomb{
		{"deep JSON", "POST", bombed, "application/json", nested(`{"a":`, "", 20000), "400 the object provided is unrecognized"},
		{"deep JSON, closed", "POST", bombed, "application/json", `{"metadata":{"name":"x"},"data":` + nested(`[`, `]`, 20000) + `}`, "400 "},
		{"deep in a field that is not known", "POST", bombed, "application/json", `{"metadata":{"name":"x"},"x":` + nested(`[`, `]`, 9000) + `}`, "201 "},
		{"YAML aliases", "POST", bombed, "application/yaml", aliases(9), "400 "},
		{"deep YAML", "POST", bombed, "application/yaml", "a: " + nested("[", "]", 100_000), "400 "},
		{"deep YAML by indentation", "POST", bombed, "application/yaml", indented(2000), "422 "},
		{"deep protobuf", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "application/vnd.kubernetes.protobuf", deepSchema(300_000), "400 "},
		{"deep schema in JSON", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "application/json", `{"metadata":{"name":"x"},"spec":{"versions":[{"name":"v1","schema":{"openAPIV3Schema":` + strings.Repeat(`{"not":`, 4000) + `{}` + strings.Repeat("}", 4000) + `}}]}}`, "4"},
		patch("many operations", "json-patch+json", `[`+strings.TrimSuffix(strings.Repeat(`{"op":"test","path":"/kind","value":"ConfigMap"},`, 10_001), ",")+`]`, "413 Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"),
		patch("copies of copies", "json-patch+json", copies(40), "422 "),
		patch("deep JSON patch", "json-patch+json", `[{"op":"add","path":"/data/x","value":`+nested(`[`, `]`, 20000)+`}]`, "400 "),
		patch("deep path", "json-patch+json", `[{"op":"add","path":"`+strings.Repeat("/a", 100_000)+`","value":1}]`, "422 "),
		patch("deep merge patch", "merge-patch+json", nested(`{"a":`, "", 20000), "400 "),
		patch("deep merge patch, closed", "merge-patch+json", `{"data":`+strings.Repeat(`{"a":`, 9000)+"1"+strings.Repeat("}", 9000)+`}`, "413 Request entity too large: the patch nests 9001 levels"),
		patch("deep strategic patch", "strategic-merge-patch+json", `{"metadata":`+strings.Repeat(`{"labels":`, 9000)+"1"+strings.Repeat("}", 9000)+`}`, "4"),
		patch("deep apply", "apply-patch+yaml", `{"apiVersion":"v1","kind":"ConfigMap","data":`+strings.Repeat(`{"a":`, 9000)+"1"+strings.Repeat("}", 9000)+`}`, "500 failed to create typed patch object"),
		patch("aliases in apply", "apply-patch+yaml", aliases(9), "4"),
		{"deep delete options", "DELETE", bombed + "/b", "application/json", nested(`{"preconditions":`, "", 20000), "400 "},
		{"many requirements", "GET", bombed + "?labelSelector=" + strings.TrimSuffix(strings.Repeat("a!=b,", 100_000), ","), "", "", "200 "},
		{"many values", "GET", bombed + "?labelSelector=a+in+(" + strings.TrimSuffix(strings.Repeat("b,", 200_000), ",") + ")", "", "", "200 "},
		{"many fields", "GET", bombed + "?fieldSelector=" + strings.TrimSuffix(strings.Repeat("metadata.name!=b,", 50_000), ","), "", "", "200 "},
		{"many escapes", "GET", bombed + "?fieldSelector=metadata.name=" + strings.Repeat(`%5C%5C`, 100_000), "", "", "200 "},
		{"many clauses", "GET", bombed, strings.Repeat("a/b;c=d,", 100_000), "", "406 "},
	}
	for _, r := range []bomb{
		{"", "POST", bombed, "application/json", "", ""}, {"", "PUT", bombed + "/b", "application/yaml", "", ""}, {"", "PATCH", bombed + "/b", "application/merge-patch+json", "", ""},
		{"", "PATCH", bombed + "/b", "application/apply-patch+yaml", "", ""}, {"", "DELETE", bombed + "/b", "application/json", "", ""}, {"", "DELETE", bombed, "application/json", "", ""},
		{"", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json", "", ""}, {"", "POST", "/api/v1/namespaces/a/pods/b/eviction", "application/json", "", ""},
		{"", "POST", "/api/v1/namespaces/a/pods/b/binding", "application/json", "", ""}, {"", "POST", "/api/v1/namespaces/a/bindings", "application/json", "", ""},
		{"", "PUT", "/apis/apps/v1/namespaces/a/deployments/b/scale", "application/json", "", ""}, {"", "POST", bombed, "application/vnd.kubernetes.protobuf", "", ""},
	} {
		r.name, r.body, r.want = "too long: "+r.method+" "+r.path+" "+r.contentType, `{"metadata":{"name":"b"},"x":"`+long+`"}`, "413 Request entity too large: limit is 3145728"
		all = append(all, r)
	}
	return all
}

func indented(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// copies doubles a value with each operation.
func copies(times int) string {
	operations := []string{`{"op":"add","path":"/data","value":{"a":"` + strings.Repeat("x", 1000) + `"}}`}
	for i := range times {
		operations = append(operations, fmt.Sprintf(`{"op":"copy","from":"/data","path":"/data/c%d"}`, i))
	}
	return "[" + strings.Join(operations, ",") + "]"
}

// Requests that are small and ask for much are refused, or answered without much ado, and never end the server.
func TestBombs(t *testing.T) {
	p := newPlace(t)
	for _, made := range []string{"namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "namespaces/a/configmaps\n\n{\"metadata\":{\"name\":\"b\"},\"data\":{\"k\":\"v\"}}",
		"namespaces/a/pods\n\n{\"metadata\":{\"name\":\"b\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"} {
		if code := p.do("POST /api/v1/" + made).StatusCode; code != http.StatusCreated {
			t.Fatalf("%s: %d", made, code)
		}
	}
	for _, b := range bombs() {
		t.Run(b.name, func(t *testing.T) { p.explode(t, b) })
	}
}

// explode sends a bomb and looks at what it was answered and what that took.
func (p *place) explode(t *testing.T, b bomb) {
	t.Helper()
	r := httptest.NewRequest(b.method, b.path, strings.NewReader(b.body))
	r.Header.Set("X-User", "admin")
	if b.method == "GET" && b.contentType != "" {
		r.Header.Set("Accept", b.contentType)
	} else {
		r.Header.Set("Content-Type", b.contentType)
	}
	r.Header.Set("User-Agent", "m")
	if strings.Contains(b.contentType, "apply") && r.URL.RawQuery == "" {
		r.URL.RawQuery = "fieldManager=m"
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := httptest.NewRecorder()
	p.server.Handler().ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	got := fmt.Sprint(w.Code, " ", messageOf(w.Body.Bytes()))
	if !strings.HasPrefix(got, b.want) {
		t.Errorf("got %.300s\nwant %s", got, b.want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > mostForBomb && !raced {
		t.Errorf("it took %d MiB", used>>20)
	}
}

// messageOf is what a Status says; of anything else it is "".
func messageOf(body []byte) string {
	var status struct{ Message string }
	if json.Unmarshal(body, &status) != nil {
		return string(body[:min(len(body), 100)])
	}
	return status.Message
}
