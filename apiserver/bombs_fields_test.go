package apiserver_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/admit"
	"proa/store"
)

// mostManagers is how many managers of updates an object names, as upstream's.
const mostManagers = 10

// Many managers of one object are told of one by one if they apply, and together if they update; what all of that takes stays
// below what an object may have.
func TestManyManagers(t *testing.T) {
	p := newPlace(t)
	for _, made := range []string{"namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "namespaces/a/configmaps\n\n{\"metadata\":{\"name\":\"b\"}}"} {
		p.do("POST /api/v1/" + made)
	}
	const managers, fields = 20, 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for m := range managers {
		data := strings.ReplaceAll(numbered(fields, `"v"`), `"k`, fmt.Sprintf(`"m%d-`, m))
		for path, r := range map[string]struct{ kind, body string }{
			fmt.Sprintf("?fieldManager=apply-%d", m):  {"application/apply-patch+yaml", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":` + data + `}`},
			fmt.Sprintf("?fieldManager=update-%d", m): {"application/merge-patch+json", fmt.Sprintf(`{"data":{"u%d":"v"}}`, m)},
		} {
			p.serve("PATCH", bombed+"/b"+path, r.kind, "application/json", r.body)
		}
		p.clock.Step(1e9)
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) / managers; used > 64<<20 && !raced {
		t.Errorf("each manager took %d MiB", used>>20)
	}
	var got metav1.PartialObjectMetadata
	if err := json.Unmarshal(p.serve("GET", bombed+"/b", "", "application/json", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	count := map[metav1.ManagedFieldsOperationType]int{}
	for _, m := range got.ManagedFields {
		count[m.Operation]++
	}
	if count[metav1.ManagedFieldsOperationApply] != managers || count[metav1.ManagedFieldsOperationUpdate] > mostManagers+1 {
		t.Errorf("%v managers", count)
	}
}

// Bodies are taken as they come, as upstream does: what is packed is not unpacked, however little of it there is.
func TestPackedBodies(t *testing.T) {
	p := newPlace(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.WriteString(w, `{"metadata":{"name":"x"},"data":{"k":"`+strings.Repeat("x", 64<<20)+`"}}`); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"gzip", "x-gzip", "deflate", "gzip, gzip"} {
		r := httptest.NewRequest("POST", bombed, bytes.NewReader(packed.Bytes()))
		r.Header.Set("X-User", "admin")
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Encoding", encoding)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		answer := httptest.NewRecorder()
		p.server.Handler().ServeHTTP(answer, r)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; answer.Code != http.StatusBadRequest || used > 16<<20 && !raced {
			t.Errorf("%s: %d %.200s, %d MiB", encoding, answer.Code, answer.Body, used>>20)
		}
	}
}

// wire is protobuf in the envelope of the API, of a kind of the core group.
func wire(kind string, content ...byte) string {
	field := func(number byte, content []byte) []byte {
		size := len(content)
		head := []byte{number<<3 | 2}
		for ; size >= 0x80; size >>= 7 {
			head = append(head, byte(size)|0x80)
		}
		return append(append(head, byte(size)), content...)
	}
	return "k8s\x00" + string(append(field(1, append(field(1, []byte("v1")), field(2, []byte(kind))...)), field(2, content)...))
}

// Requests that ask for much in other ways than TestBombs'.
func TestWideBombs(t *testing.T) {
	p := newPlaceWith(t, func(s store.Store) []admit.Step { return allSteps(t, s) })
	const policies, typed = "/apis/admissionregistration.k8s.io/v1/", "application/json"
	for _, made := range []string{"/api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "/api/v1/namespaces\n\n{\"metadata\":{\"name\":\"judged\"}}", "/api/v1/namespaces/a/configmaps\n\n{\"metadata\":{\"name\":\"b\"}}", "/api/v1/namespaces/a/serviceaccounts\n\n{\"metadata\":{\"name\":\"default\"}}",
		policies + "validatingadmissionpolicies\n\n" + `{"metadata":{"name":"p"},"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["configmaps"]}]},
"validations":[{"expression":"object.data.all(a, object.data.all(b, object.data.all(c, a + b + c != '')))"}]}}`,
		policies + "validatingadmissionpolicybindings\n\n" + `{"metadata":{"name":"p"},"spec":{"policyName":"p","validationActions":["Deny"],"matchResources":{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"judged"}}}}}`,
	} {
		if code := p.do("POST " + made).StatusCode; code != http.StatusCreated {
			t.Fatalf("%.100s: %d", made, code)
		}
	}
	length := func(size ...byte) []byte { return append([]byte{2<<3 | 2}, size...) } // of the field "data"
	for _, b := range []bomb{
		{"a policy that costs much", "POST", "/api/v1/namespaces/judged/configmaps", typed, `{"metadata":{"name":"x"},"data":` + numbered(300, `"v"`) + `}`,
			`422 configmaps "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: expression 'object.data.all(a, object.data.all(b, object.data.all(c, a + b + c != '')))' resulted in error: operation cancelled: actual cost limit exceeded`},
		{"many fields, applied", "PATCH", bombed + "/b", "application/apply-patch+yaml", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":` + numbered(15_000, `"v"`) + `}`, "200 "},
		{"many labels", "POST", bombed, typed, `{"metadata":{"name":"x","labels":` + numbered(15_000, `"v"`) + `}}`, "201 "},
		{"many owners", "POST", bombed, typed, `{"metadata":{"name":"owned","ownerReferences":` + repeated("[", `{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u"}`, "]", 20_000) + `}}`, "201 "},
		{"many containers", "POST", "/api/v1/namespaces/a/pods", typed, `{"metadata":{"name":"x"},"spec":{"containers":` + repeated("[", `{"name":"c","image":"i"}`, "]", 2000) + `}}`, "422 "},
		{"many parameters", "GET", bombed + "?" + strings.Repeat("x=y&", 200_000), "", "", "200 "},
		{"many of one parameter", "GET", bombed + "?" + strings.Repeat("labelSelector=a&", 50_000), "", "", "200 "},
		{"ten thousand requirements", "GET", bombed + "?labelSelector=" + strings.TrimSuffix(strings.Repeat("a+in+(b,c),", 10_000), ","), "", "", "200 "},
		{"ten thousand requirements of deletion", "DELETE", bombed + "?dryRun=All&labelSelector=" + strings.TrimSuffix(strings.Repeat("a+notin+(b,c),", 10_000), ","), typed, "", "200 "},
		{"a long continuation", "GET", bombed + "?limit=1&continue=" + strings.Repeat("e30", 300_000), "", "", "400 "},
		{"many entries on the wire", "POST", bombed, protobufType, wire("ConfigMap", bytes.Repeat(length(0), 1_000_000)...), "4"},
		{"a length beyond the end", "POST", bombed, protobufType, wire("ConfigMap", length(0xff, 0xff, 0xff, 0xff, 0x07)...), "400 "},
		{"a length below nothing", "POST", bombed, protobufType, wire("ConfigMap", length(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)...), "400 "},
		{"groups in groups", "POST", bombed, protobufType, wire("ConfigMap", bytes.Repeat([]byte{9<<3 | 3}, 1_000_000)...), "400 "},
	} {
		t.Run(b.name, func(t *testing.T) { p.explode(t, b) })
	}
}
