package discovery_test

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"
	explain "k8s.io/kubectl/pkg/explain/v2"
)

// kubectl explain reads everything it prints from version 3.
func TestKubectlExplain(t *testing.T) {
	c, _ := client(t)
	for _, e := range []struct {
		gvr    schema.GroupVersionResource
		fields []string
		want   []string
	}{
		{schema.GroupVersionResource{Version: "v1", Resource: "pods"}, nil, []string{"KIND:       Pod", "VERSION:    v1", "spec\t<PodSpec>", "Pod is a collection of containers"}},
		{schema.GroupVersionResource{Version: "v1", Resource: "pods"}, []string{"spec", "containers", "ports"}, []string{"FIELD: ports <[]ContainerPort>", "containerPort\t<integer> -required-"}},
		{schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, []string{"status", "capacity"}, []string{"FIELD: capacity <map[string]Quantity>"}},
		{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, []string{"spec", "strategy", "rollingUpdate", "maxSurge"}, []string{"GROUP:      apps", "FIELD: maxSurge <IntOrString>"}},
		{schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, []string{"rules"}, []string{"verbs\t<[]string> -required-"}},
	} {
		var out bytes.Buffer
		if err := explain.PrintModelDescription(e.fields, &out, c.OpenAPIV3(), e.gvr, false, "plaintext"); err != nil {
			t.Errorf("%v %v: %v", e.gvr, e.fields, err)
			continue
		}
		for _, want := range e.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v %v lacks %q:\n%s", e.gvr, e.fields, want, out.String())
			}
		}
	}
}

// kubectl asks the schemas whether the server can check fields and run dry before it relies on either.
func TestKubectlFindsQueryParameters(t *testing.T) {
	c, _ := client(t)
	for _, parameter := range []resource.VerifiableQueryParam{resource.QueryParamFieldValidation, "dryRun"} {
		verifier := resource.NewQueryParamVerifierV3(nil, c.OpenAPIV3(), parameter)
		for _, gvk := range []schema.GroupVersionKind{{Version: "v1", Kind: "Pod"}, {Group: "apps", Version: "v1", Kind: "Deployment"}, {Version: "v1", Kind: "Namespace"}} {
			if err := verifier.HasSupport(gvk); err != nil {
				t.Errorf("%s of %s: %v", parameter, gvk, err)
			}
		}
	}
}
