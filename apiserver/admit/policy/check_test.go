package policy_test

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"proa/apiserver/admit/policy"
	"proa/apiserver/discovery"
	"proa/kinds"
)

// A policy is told of fields that its kinds do not have and of types that do not fit, each for the kind that it is about.
func TestExpressionsAreCheckedAgainstKinds(t *testing.T) {
	table := kinds.Builtin()
	documents := discovery.New(discovery.Config{Kinds: table, Scheme: kinds.NewScheme()})
	checker := &policy.Checker{Kinds: table, Schema: documents.Schema}
	p := &admissionv1.ValidatingAdmissionPolicy{Spec: admissionv1.ValidatingAdmissionPolicySpec{
		ParamKind: &admissionv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"},
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
			{RuleWithOperations: admissionv1.RuleWithOperations{Rule: admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments", "replicasets", "deployments/scale"}}}},
			{RuleWithOperations: admissionv1.RuleWithOperations{Rule: admissionv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"v1"}, Resources: []string{"pods"}}}},
			{RuleWithOperations: admissionv1.RuleWithOperations{Rule: admissionv1.Rule{APIGroups: []string{"example.com"}, APIVersions: []string{"v1"}, Resources: []string{"unknown"}}}},
		}},
		Variables: []admissionv1.Variable{{Name: "containers", Expression: "object.spec.template.spec.containers"}},
		Validations: []admissionv1.Validation{
			{Expression: "variables.containers.all(c, c.image != '' && object.metadata.name == params.data.name)"},
			{Expression: "object.spec.strategy.type == 'Recreate'"},
			{Expression: "object.spec.replicas > '1'", MessageExpression: "object.spec.nothing"},
		},
	}}
	warnings, err := checker.Check(p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range warnings {
		for _, line := range strings.Split(w.Warning, "\n") {
			if strings.Contains(line, "ERROR") {
				got = append(got, w.FieldRef+" "+line)
			}
		}
	}
	want := []string{
		"spec.validations[1].expression apps/v1, Kind=ReplicaSet: ERROR: <input>:1:12: undefined field 'strategy'",
		"spec.validations[2].expression apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
		"spec.validations[2].expression apps/v1, Kind=ReplicaSet: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
		"spec.validations[2].messageExpression apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'nothing'",
		"spec.validations[2].messageExpression apps/v1, Kind=ReplicaSet: ERROR: <input>:1:12: undefined field 'nothing'",
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("missing: %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}
