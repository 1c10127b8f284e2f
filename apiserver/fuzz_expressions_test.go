package apiserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"proa/apiserver/admit"
	"proa/store"
)

// longestExpression keeps the fuzzer from a few inputs that take its time; long ones are among the bombs.
const longestExpression = 2 << 10

// FuzzExpression puts any text where CEL is expected: into a rule of a definition, a policy that then judges an object, a
// message, a mutation, and match conditions of webhooks.
func FuzzExpression(f *testing.F) {
	p := newPlaceWith(f, func(s store.Store) []admit.Step { return allSteps(f, s) })
	t := &target{place: p}
	if code := p.do("POST /api/v1/namespaces\n\n{\"metadata\":{\"name\":\"a\"}}").StatusCode; code != http.StatusCreated {
		f.Fatal(code)
	}
	for _, expression := range []string{
		"true", "self.spec.n > 1", "object.data.all(k, object.data[k].size() < 3)", "has(object.metadata.labels) && object.metadata.name.startsWith('x')", "[1,2,3].map(x, [1,2,3].map(y, x*y)).size() == 3",
		"quantity('1Gi').isGreaterThan(quantity('1M'))", "ip('1.2.3.4').family() == 4", "url('https://a').getHost() == 'a'", "'a'.matches('(a+)+$')", "object.data.k.find('[0-9]+') == ''",
		"variables.x", "params == null", "request.userInfo.username == 'admin'", "authorizer.group('').resource('pods').check('get').allowed()", "Object{metadata: Object.metadata{labels: {'a': 'b'}}}",
		"[JSONPatch{op: 'add', path: '/data/x', value: 'y'}]", "dyn(1) == dyn('a')", "1/0 == 0", "object.?data.k.orValue('x') == 'v'", "format.dns1123Label().validate('a').hasValue()", "'x'.format([1])", "'%s%d'.format(['a', 1])",
		strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300) + " == 1", strings.Repeat("!", 200) + "true", "a.b.c.d.e", "\"\\u0000\"", "cel.bind(x, 1, x == 1)", "sets.contains([1],[1])", "", "//", "timestamp('2020-01-01T00:00:00Z') < timestamp('x')",
	} {
		f.Add(expression)
		t.express(f, expression) // what is made on first demand is there before memory is looked at
	}
	f.Fuzz(func(tt *testing.T, expression string) { t.express(tt, expression) })
}

// express sends an expression wherever one is expected.
func (p *target) express(tt testing.TB, expression string) {
	if len(expression) > longestExpression {
		return
	}
	text, err := json.Marshal(expression)
	if err != nil {
		tt.Fatal(err)
	}
	e, typed := string(text), map[string]string{"Content-Type": "application/json"}
	const policies, rules = "/apis/admissionregistration.k8s.io/v1/", `"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["configmaps"]}]}`
	p.send(tt, http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "dryRun=All", typed, strings.Replace(gears, `"type":"object","properties":{"spec"`,
		`"type":"object","x-kubernetes-validations":[{"rule":`+e+`,"messageExpression":`+e+`}],"properties":{"spec"`, 1))
	p.send(tt, http.MethodPost, policies+"validatingwebhookconfigurations", "dryRun=All", typed, `{"metadata":{"name":"w"},"webhooks":[{"name":"x.example.com","sideEffects":"None","admissionReviewVersions":["v1"],"clientConfig":{"url":"https://x.example"},"matchConditions":[{"name":"c","expression":`+e+`}]}]}`)
	for kind, spec := range map[string]string{
		"validatingadmissionpolicies": `"validations":[{"expression":` + e + `,"messageExpression":` + e + `}],"variables":[{"name":"x","expression":` + e + `}],"auditAnnotations":[{"key":"a","valueExpression":` + e + `}]`,
		"mutatingadmissionpolicies":   `"reinvocationPolicy":"Never","mutations":[{"patchType":"ApplyConfiguration","applyConfiguration":{"expression":` + e + `}},{"patchType":"JSONPatch","jsonPatch":{"expression":` + e + `}}]`,
	} {
		p.send(tt, http.MethodPost, policies+kind, "", typed, `{"metadata":{"name":"p"},"spec":{`+rules+`,`+spec+`,"failurePolicy":"Fail"}}`)
		binding := strings.Replace(kind, "policies", "policybindings", 1)
		p.send(tt, http.MethodPost, policies+binding, "", typed, `{"metadata":{"name":"p"},"spec":{"policyName":"p","validationActions":["Deny","Audit"]}}`)
		p.send(tt, http.MethodPost, bombed, "dryRun=All", typed, `{"metadata":{"name":"x"},"data":{"k":"v"}}`)
		p.send(tt, http.MethodDelete, policies+binding+"/p", "", nil, "")
		p.send(tt, http.MethodDelete, policies+kind+"/p", "", nil, "")
	}
}

// FuzzPath asks for any path and query with any method.
func FuzzPath(f *testing.F) {
	p := newTarget(f)
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "x"}
	for i, path := range []string{"/api/v1/namespaces/a/pods/b?pretty=1", "/apis/apps/v1/deployments?limit=1&timeoutSeconds=1", "/api/v1/watch/namespaces/a/pods/b", "/api/v1/namespaces/a/pods/b/log?follow=1", "/openapi/v3/apis/apps/v1?hash=x",
		"/api/v1/namespaces/a/services/https:b:80/proxy/x", "/api/v1/nodes/b/proxy/../../x", "/version", "/api//v1", "/apis/a/b/c/d/e/f/g", "/api/v1/namespaces/%2e%2e/pods", "/metrics", "/api/v1/namespaces/a/configmaps/b?fieldManager=%00", "/api/v1/proxy", "*"} {
		f.Add(uint8(i), path)
	}
	f.Fuzz(func(t *testing.T, method uint8, path string) {
		r, err := spelled("GET", path)
		if err != nil || strings.Contains(r.URL.RawQuery, "watch") || strings.Contains(r.URL.RawQuery, "resourceVersion=") || strings.Contains(r.URL.Path, "/watch") {
			return // net/http would not let it in, or it waits for what does not come
		}
		p.send(t, methods[int(method)%len(methods)], r.URL.Path, r.URL.RawQuery, map[string]string{"Content-Type": "application/json"}, `{}`)
	})
}
