package audit

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"proa/apiserver/auth"
)

// LoadPolicy reads a policy file: audit.k8s.io/v1, YAML or JSON, strictly.
func LoadPolicy(name string) (*auditv1.Policy, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read audit policy: %w", err)
	}
	p := &auditv1.Policy{}
	if err := yaml.UnmarshalStrict(data, p); err != nil {
		return nil, fmt.Errorf("read audit policy %s: %w", name, err)
	}
	if got := p.GroupVersionKind(); got != auditv1.SchemeGroupVersion.WithKind("Policy") {
		return nil, fmt.Errorf("read audit policy %s: it is a %s %s, not an %s Policy", name, p.APIVersion, p.Kind, auditv1.SchemeGroupVersion)
	}
	if len(p.Rules) == 0 {
		return nil, fmt.Errorf("read audit policy %s: it has no rules, so it would keep nothing", name)
	}
	if errs := validatePolicy(p); len(errs) > 0 {
		return nil, fmt.Errorf("read audit policy %s: %w", name, errs.ToAggregate())
	}
	return p, nil
}

var (
	levels = []auditv1.Level{auditv1.LevelNone, auditv1.LevelMetadata, auditv1.LevelRequest, auditv1.LevelRequestResponse}
	stages = []auditv1.Stage{auditv1.StageRequestReceived, auditv1.StageResponseStarted, auditv1.StageResponseComplete, auditv1.StagePanic}
)

func validatePolicy(p *auditv1.Policy) field.ErrorList {
	errs := validateStages(field.NewPath("omitStages"), p.OmitStages)
	for i := range p.Rules {
		errs = append(errs, validateRule(field.NewPath("rules").Index(i), &p.Rules[i])...)
	}
	return errs
}

func validateRule(path *field.Path, r *auditv1.PolicyRule) field.ErrorList {
	var errs field.ErrorList
	switch {
	case r.Level == "":
		errs = append(errs, field.Required(path.Child("level"), ""))
	case !slices.Contains(levels, r.Level):
		errs = append(errs, field.NotSupported(path.Child("level"), r.Level, levels))
	}
	urls := path.Child("nonResourceURLs")
	for i, url := range r.NonResourceURLs {
		if url != "*" && !strings.HasPrefix(url, "/") {
			errs = append(errs, field.Invalid(urls.Index(i), url, "non-resource URL rules must begin with a '/' character"))
		}
		if url != "" && strings.Contains(url[:len(url)-1], "*") {
			errs = append(errs, field.Invalid(urls.Index(i), url, "non-resource URL wildcards '*' must be the final character of the rule"))
		}
	}
	for _, g := range r.Resources {
		if wrong := validation.NameIsDNSSubdomain(g.Group, false); g.Group != "" && g.Group != "*" && len(wrong) > 0 {
			errs = append(errs, field.Invalid(path.Child("resources", "group"), g.Group, strings.Join(wrong, ",")))
		}
		if len(g.ResourceNames) > 0 && len(g.Resources) == 0 {
			errs = append(errs, field.Invalid(path.Child("resources", "resourceNames"), g.ResourceNames, "using resourceNames requires at least one resource"))
		}
	}
	errs = append(errs, validateStages(path.Child("omitStages"), r.OmitStages)...)
	if len(r.NonResourceURLs) > 0 && (len(r.Resources) > 0 || len(r.Namespaces) > 0) {
		errs = append(errs, field.Invalid(urls, r.NonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs"))
	}
	return errs
}

func validateStages(path *field.Path, omitted []auditv1.Stage) field.ErrorList {
	var errs field.ErrorList
	for i, s := range omitted {
		if !slices.Contains(stages, s) {
			errs = append(errs, field.Invalid(path.Index(i), string(s), "allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic"))
		}
	}
	return errs
}

// kept is how much of one request is written down.
type kept struct {
	level      auditv1.Level
	omit       []auditv1.Stage
	omitOwners bool // managedFields
}

// decide finds the first rule that matches. What no rule matches is not kept.
func decide(p *auditv1.Policy, a *auth.Attributes) kept {
	for i := range p.Rules {
		r := &p.Rules[i]
		if !matches(r, a) {
			continue
		}
		k := kept{level: r.Level, omit: append(slices.Clip(r.OmitStages), p.OmitStages...), omitOwners: p.OmitManagedFields}
		if r.OmitManagedFields != nil {
			k.omitOwners = *r.OmitManagedFields
		}
		return k
	}
	return kept{level: auditv1.LevelNone}
}

func matches(r *auditv1.PolicyRule, a *auth.Attributes) bool {
	if len(r.Users) > 0 && !slices.Contains(r.Users, a.User.Name) {
		return false
	}
	if len(r.UserGroups) > 0 && !slices.ContainsFunc(a.User.Groups, func(g string) bool { return slices.Contains(r.UserGroups, g) }) {
		return false
	}
	if len(r.Verbs) > 0 && !slices.Contains(r.Verbs, a.Verb) {
		return false
	}
	if len(r.Namespaces) > 0 || len(r.Resources) > 0 {
		return a.IsResourceRequest && (len(r.Namespaces) == 0 || slices.Contains(r.Namespaces, a.Namespace)) &&
			(len(r.Resources) == 0 || slices.ContainsFunc(r.Resources, func(g auditv1.GroupResources) bool { return names(&g, a) }))
	}
	if len(r.NonResourceURLs) > 0 {
		return !a.IsResourceRequest && slices.ContainsFunc(r.NonResourceURLs, func(url string) bool {
			prefix, wild := strings.CutSuffix(url, "*")
			return url == a.Path || wild && strings.HasPrefix(a.Path, prefix)
		})
	}
	return true
}

// names says whether a rule's resources hold the one of a request.
func names(g *auditv1.GroupResources, a *auth.Attributes) bool {
	if g.Group != a.APIGroup && g.Group != "*" {
		return false
	}
	if len(g.Resources) == 0 {
		return true
	}
	if len(g.ResourceNames) > 0 && !slices.Contains(g.ResourceNames, a.Name) {
		return false
	}
	for _, entry := range g.Resources {
		resource, sub, both := strings.Cut(entry, "/")
		switch {
		case entry == "*":
			return true
		case !both && resource == a.Resource && a.Subresource == "":
			return true
		case both && (resource == "*" || resource == a.Resource) && sub == a.Subresource && sub != "":
			return true
		case both && resource == a.Resource && sub == "*":
			return true
		}
	}
	return false
}
