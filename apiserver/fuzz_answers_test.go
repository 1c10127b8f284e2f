package apiserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"proa/apiserver/admit"
	"proa/store"
)

// answerOf puts the uid of what was asked where the answer says UID, so that a fuzzer need not guess it.
func answerOf(answer, asked []byte) []byte {
	var review struct{ Request struct{ UID string } }
	_ = json.Unmarshal(asked, &review) // what is asked is ours; without a uid the answer stays as it is
	return bytes.ReplaceAll(answer, []byte("UID"), []byte(review.Request.UID))
}

const gears = `{"metadata":{"name":"gears.shop.example"},"spec":{"group":"shop.example","scope":"Namespaced","names":{"plural":"gears","singular":"gear","kind":"Gear","listKind":"GearList"},
"conversion":{"strategy":"Webhook","webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://x.example"}}},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}},
{"name":"v2","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"teeth":{"type":"integer","default":3}}}}}}}]}}`

// FuzzConversionAnswer reads and writes a custom object through a version that a webhook makes, and the webhook answers anything.
func FuzzConversionAnswer(f *testing.F) {
	p := newPlaceWith(f, func(s store.Store) []admit.Step { return allSteps(f, s) })
	var answer atomic.Pointer[[]byte]
	p.define(func(_ context.Context, _ *apiextensionsv1.WebhookClientConfig, asked []byte) ([]byte, error) {
		return answerOf(*answer.Load(), asked), nil
	})
	t := &target{place: p, others: true}
	for _, made := range []string{"/api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions\n\n" + gears} {
		if code := p.do("POST " + made).StatusCode; code != http.StatusCreated {
			f.Fatalf("%s: %d", made, code)
		}
	}
	p.settle("gears.shop.example", "Established=True")
	if code := p.do("POST /apis/shop.example/v1/namespaces/a/gears\n\n" + `{"apiVersion":"shop.example/v1","kind":"Gear","metadata":{"name":"x"},"spec":{"teeth":1}}`).StatusCode; code != http.StatusCreated {
		f.Fatal(code)
	}
	object := `{"apiVersion":"shop.example/v2","kind":"Gear","metadata":{"name":"x","namespace":"a"},"spec":{"teeth":1}}`
	for _, answer := range []string{
		`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","response":{"uid":"UID","result":{"status":"Success"},"convertedObjects":[` + object + `]}}`,
		`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","response":{"uid":"UID","result":{"status":"Failure","message":"no"}}}`,
		`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","response":{"uid":"UID","result":{"status":"Success"},"convertedObjects":[null,{},[]]}}`,
		`{"kind":"ConversionReview"}`, `{`, ``, `null`, `[]`,
	} {
		f.Add([]byte(answer))
	}
	written := 0
	f.Fuzz(func(tt *testing.T, bytes []byte) {
		answer.Store(&bytes)
		written++
		const all, one = "/apis/shop.example/v2/namespaces/a/gears", "/apis/shop.example/v2/namespaces/a/gears/x"
		json := map[string]string{"Content-Type": "application/json"}
		t.send(tt, http.MethodPatch, "/apis/shop.example/v1/namespaces/a/gears/x", "", map[string]string{"Content-Type": "application/merge-patch+json"}, fmt.Sprintf(`{"spec":{"n":%d}}`, written)) // nothing is kept of what was converted before
		t.send(tt, http.MethodGet, one, "", nil, "")
		t.send(tt, http.MethodGet, all, "labelSelector=a!%3Db", nil, "")
		t.send(tt, http.MethodGet, all, "", map[string]string{"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}, "")
		t.send(tt, http.MethodPut, one, "dryRun=All", json, object)
		t.send(tt, http.MethodPost, all, "dryRun=All", json, object)
		t.send(tt, http.MethodPatch, one, "dryRun=All&fieldManager=m&force=true", map[string]string{"Content-Type": "application/apply-patch+yaml"}, object)
	})
}

// FuzzAdmissionAnswer creates and changes objects while a mutating and a validating webhook answer anything.
func FuzzAdmissionAnswer(f *testing.F) {
	p := newPlaceWith(f, func(s store.Store) []admit.Step { return allSteps(f, s) })
	t := &target{place: p, others: true}
	var answer atomic.Pointer[[]byte]
	hook := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, err := io.ReadAll(r.Body)
		if err != nil {
			return // the call was given up
		}
		_, _ = w.Write(answerOf(*answer.Load(), asked))
	}))
	hook.Config.ErrorLog = log.New(io.Discard, "", 0)
	hook.StartTLS()
	f.Cleanup(hook.Close)
	bundle := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw}))
	rules := `"rules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["configmaps","pods"],"operations":["*"]}],"sideEffects":"None","admissionReviewVersions":["v1","v1beta1"],"timeoutSeconds":1,"clientConfig":{"url":"` + hook.URL + `/","caBundle":"` + bundle + `"}`
	for _, kind := range []string{"mutating", "validating"} {
		made := "/apis/admissionregistration.k8s.io/v1/" + kind + "webhookconfigurations\n\n" + `{"metadata":{"name":"x"},"webhooks":[{"name":"x.example.com",` + rules + `}]}`
		if code := p.do("POST " + made).StatusCode; code != http.StatusCreated {
			f.Fatalf("%s: %d", made, code)
		}
	}
	if code := p.do("POST /api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}").StatusCode; code != http.StatusCreated {
		f.Fatal(code)
	}
	review := func(response string) []byte {
		return []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"UID",` + response + `}}`)
	}
	patched := func(patch string) []byte {
		return review(`"allowed":true,"patchType":"JSONPatch","patch":"` + base64.StdEncoding.EncodeToString([]byte(patch)) + `"`)
	}
	for _, answer := range [][]byte{review(`"allowed":true,"warnings":["w"],"auditAnnotations":{"a":"b"}`), review(`"allowed":false,"status":{"code":101}`), review(`"allowed":false,"status":{"code":4000}`), review(`"allowed":false,"status":{"code":-1}`), review(`"allowed":false,"status":{"code":799,"message":"no","reason":"Gone","details":{"causes":[{}]}}`),
		patched(`[{"op":"add","path":"/data","value":{"a":"b"}},{"op":"remove","path":"/metadata/name"}]`), patched(`[{"op":"replace","path":"","value":null}]`), patched(`[{"op":"copy","from":"","path":"/data"}]`),
		patched(`[{"op":"add","path":"/metadata","value":[]}]`), patched(`[{"op":"test","path":"/kind","value":"x"}]`), []byte(`{`), nil, []byte(`null`), []byte(`{"response":null}`)} {
		f.Add(answer, uint8(0))
		f.Add(answer, uint8(1))
	}
	f.Fuzz(func(tt *testing.T, bytes []byte, pod uint8) {
		answer.Store(&bytes)
		path, body := bombed, `{"metadata":{"name":"x"},"data":{"k":"v"}}`
		if pod%2 == 1 {
			path, body = "/api/v1/namespaces/a/pods", `{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","image":"i"}]}}`
		}
		t.send(tt, http.MethodPost, path, "dryRun=All", map[string]string{"Content-Type": "application/json"}, body)
	})
}
