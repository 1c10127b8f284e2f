package flowcontrol

import (
	"cmp"
	"fmt"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

const defaultPrecedence = 1000

// FlowSchema is the row of flowschemas.
func FlowSchema() *resource.Resource {
	return &resource.Resource{
		Group: flowcontrolv1.GroupName, Version: "v1", Name: "flowschemas", Singular: "flowschema", Kind: "FlowSchema",
		New:     func() resource.Object { return &flowcontrolv1.FlowSchema{} },
		NewList: func() runtime.Object { return &flowcontrolv1.FlowSchemaList{} },
		Default: resource.Do(func(s *flowcontrolv1.FlowSchema) {
			s.Spec.MatchingPrecedence = cmp.Or(s.Spec.MatchingPrecedence, defaultPrecedence)
		}),
		PrepareCreate: resource.Do(func(s *flowcontrolv1.FlowSchema) {
			s.Generation, s.Status = 1, flowcontrolv1.FlowSchemaStatus{}
		}),
		PrepareUpdate: resource.Do2(func(s, old *flowcontrolv1.FlowSchema) {
			s.Status = *old.Status.DeepCopy()
			meta.CountGeneration(s, old, !equality.Semantic.DeepEqual(s.Spec, old.Spec))
		}),
		Validate:                 resource.Typed(validateFlowSchema),
		ValidateUpdate:           resource.Typed2(func(s, _ *flowcontrolv1.FlowSchema) field.ErrorList { return validateFlowSchema(s) }),
		AllowUnconditionalUpdate: true,
		Reset:                    map[string][]string{"status": {"metadata", "spec"}},
		Status: &resource.Subresource{
			Name: "status",
			PrepareUpdate: resource.Do2(func(s, old *flowcontrolv1.FlowSchema) {
				keepMetadata(s, old)
				s.Spec = *old.Spec.DeepCopy()
			}),
			ValidateUpdate: resource.Typed2(func(s, _ *flowcontrolv1.FlowSchema) field.ErrorList { return validateConditions(schemaConditions(s)) }),
		},
		Columns: flowSchemaColumns(),
		Row: resource.Typed(func(s *flowcontrolv1.FlowSchema) []any {
			method, dangling := "<none>", "?"
			if s.Spec.DistinguisherMethod != nil {
				method = string(s.Spec.DistinguisherMethod.Type)
			}
			for _, c := range s.Status.Conditions {
				if c.Type == flowcontrolv1.FlowSchemaConditionDangling {
					dangling = string(c.Status)
					break
				}
			}
			return []any{s.Name, s.Spec.PriorityLevelConfiguration.Name, int64(s.Spec.MatchingPrecedence), method, meta.Since(s.CreationTimestamp), dangling}
		}),
	}
}

func flowSchemaColumns() []resource.Column {
	spec := flowcontrolv1.FlowSchemaSpec{}.SwaggerDoc()
	return []resource.Column{
		meta.Name(),
		meta.Column("PriorityLevel", flowcontrolv1.PriorityLevelConfigurationReference{}.SwaggerDoc()["name"]),
		meta.Column("MatchingPrecedence", spec["matchingPrecedence"]),
		meta.Column("DistinguisherMethod", spec["distinguisherMethod"]),
		meta.Age(),
		meta.Column("MissingPL", "references a broken or non-existent PriorityLevelConfiguration"),
	}
}

func validateFlowSchema(s *flowcontrolv1.FlowSchema) field.ErrorList {
	path, spec := field.NewPath("spec"), &s.Spec
	errs := validatePrecedence(path.Child("matchingPrecedence"), s.Name, spec.MatchingPrecedence)
	if m := spec.DistinguisherMethod; m != nil {
		switch m.Type {
		case flowcontrolv1.FlowDistinguisherMethodByNamespaceType, flowcontrolv1.FlowDistinguisherMethodByUserType:
		default:
			errs = append(errs, field.NotSupported(path.Child("distinguisherMethod", "type"), meta.Internal(m), []flowcontrolv1.FlowDistinguisherMethodType{
				flowcontrolv1.FlowDistinguisherMethodByNamespaceType, flowcontrolv1.FlowDistinguisherMethodByUserType}))
		}
	}
	at, level := path.Child("priorityLevelConfiguration", "name"), spec.PriorityLevelConfiguration.Name
	if level == "" {
		errs = append(errs, field.Required(at, "must reference a priority level"))
	} else {
		errs = append(errs, invalidName(at, level, validation.NameIsDNSSubdomain, "")...)
	}
	for i := range spec.Rules {
		errs = append(errs, validateRule(path.Child("rules").Index(i), &spec.Rules[i])...)
	}
	for _, fixed := range MandatorySchemas() {
		if fixed.Name == s.Name && !equality.Semantic.DeepEqual(fixed.Spec, s.Spec) {
			errs = append(errs, field.Invalid(path, meta.Internal(s.Spec), fmt.Sprintf("spec of '%s' must equal the fixed value", s.Name)))
		}
	}
	return append(errs, validateConditions(schemaConditions(s))...)
}

func validatePrecedence(path *field.Path, name string, precedence int32) field.ErrorList {
	var errs field.ErrorList
	if precedence <= 0 {
		errs = append(errs, field.Invalid(path, precedence, "must be a positive value"))
	}
	if precedence > flowcontrolv1.FlowSchemaMaxMatchingPrecedence {
		errs = append(errs, field.Invalid(path, precedence, fmt.Sprintf("must not be greater than %v", flowcontrolv1.FlowSchemaMaxMatchingPrecedence)))
	}
	if precedence == 1 && name != flowcontrolv1.FlowSchemaNameExempt {
		errs = append(errs, field.Invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
	}
	return errs
}

func validateRule(path *field.Path, rule *flowcontrolv1.PolicyRulesWithSubjects) field.ErrorList {
	var errs field.ErrorList
	for i := range rule.Subjects {
		errs = append(errs, validateSubject(path.Child("subjects").Index(i), &rule.Subjects[i])...)
	}
	if len(rule.Subjects) == 0 {
		errs = append(errs, field.Required(path.Child("subjects"), "subjects must contain at least one value"))
	}
	if len(rule.ResourceRules) == 0 && len(rule.NonResourceRules) == 0 {
		errs = append(errs, field.Required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
	}
	for i := range rule.ResourceRules {
		errs = append(errs, validateResourceRule(path.Child("resourceRules").Index(i), &rule.ResourceRules[i])...)
	}
	for i, r := range rule.NonResourceRules {
		at := path.Child("nonResourceRules").Index(i)
		errs = append(errs, validateVerbs(at.Child("verbs"), r.Verbs)...)
		errs = append(errs, validateURLs(at.Child("nonResourceURLs"), r.NonResourceURLs)...)
	}
	return errs
}

func validateResourceRule(path *field.Path, r *flowcontrolv1.ResourcePolicyRule) field.ErrorList {
	errs := validateVerbs(path.Child("verbs"), r.Verbs)
	errs = append(errs, validateMatches(path.Child("apiGroups"), r.APIGroups, "api group")...)
	errs = append(errs, validateMatches(path.Child("resources"), r.Resources, "resource")...)
	at := path.Child("namespaces")
	switch {
	case len(r.Namespaces) == 0 && !r.ClusterScope:
		errs = append(errs, field.Required(at, "resource rules that are not cluster scoped must supply at least one namespace"))
	case hasWildcard(r.Namespaces):
		errs = append(errs, aloneInList(at, r.Namespaces, "namespaces")...)
	default:
		for i, namespace := range r.Namespaces {
			errs = append(errs, invalidName(at.Index(i), namespace, validation.ValidateNamespaceName, "each member of this list must be '*' or a DNS-1123 label; ")...)
		}
	}
	return errs
}

// validateMatches wants at least one value, or the wildcard alone.
func validateMatches(path *field.Path, values []string, what string) field.ErrorList {
	if len(values) == 0 {
		return field.ErrorList{field.Required(path, "resource rules must supply at least one "+what)}
	}
	if hasWildcard(values) {
		return aloneInList(path, values, what+"s")
	}
	return nil
}

var knownVerbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"}

func validateVerbs(path *field.Path, verbs []string) field.ErrorList {
	if len(verbs) == 0 {
		return field.ErrorList{field.Required(path, "verbs must contain at least one value")}
	}
	if hasWildcard(verbs) {
		return aloneInList(path, verbs, "verbs")
	}
	for _, verb := range verbs {
		if !contains(knownVerbs, verb) {
			return field.ErrorList{field.NotSupported(path, verbs, knownVerbs)}
		}
	}
	return nil
}

func validateURLs(path *field.Path, urls []string) field.ErrorList {
	if len(urls) == 0 {
		return field.ErrorList{field.Required(path, "nonResourceURLs must contain at least one value")}
	}
	if hasWildcard(urls) {
		return aloneInList(path, urls, "non-resource URLs")
	}
	var errs field.ErrorList
	for i, url := range urls {
		if wrong := wrongURL(url); wrong != "" {
			errs = append(errs, field.Invalid(path.Index(i), url, wrong))
		}
	}
	return errs
}

// wrongURL says what is wrong with a path, or "".
func wrongURL(path string) string {
	stars := strings.Count(path, "*")
	switch {
	case path == "":
		return "must not be empty"
	case path == "/":
		return ""
	case !strings.HasPrefix(path, "/"):
		return "must start with slash"
	case strings.Contains(path, " "):
		return "must not contain white-space"
	case strings.Contains(path, "//"):
		return "must not contain double slash"
	case stars > 1 || stars == 1 && !strings.HasSuffix(path, "/*"):
		return "wildcard can only do suffix matching"
	}
	return ""
}
