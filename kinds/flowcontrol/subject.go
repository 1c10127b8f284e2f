package flowcontrol

import (
	"slices"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateSubject wants the one member that the kind names, and no other.
func validateSubject(path *field.Path, s *flowcontrolv1.Subject) field.ErrorList {
	members := []struct {
		kind  flowcontrolv1.SubjectKind
		field string
		set   bool
		check func(*field.Path) field.ErrorList
	}{
		{flowcontrolv1.SubjectKindServiceAccount, "serviceAccount", s.ServiceAccount != nil, func(p *field.Path) field.ErrorList { return validateAccount(p, s.ServiceAccount) }},
		{flowcontrolv1.SubjectKindUser, "user", s.User != nil, func(p *field.Path) field.ErrorList { return required(p.Child("name"), s.User.Name) }},
		{flowcontrolv1.SubjectKindGroup, "group", s.Group != nil, func(p *field.Path) field.ErrorList { return required(p.Child("name"), s.Group.Name) }},
	}
	var own, others field.ErrorList
	known := false
	for _, m := range members {
		at := path.Child(m.field)
		switch {
		case m.kind == s.Kind && !m.set:
			known = true
			own = field.ErrorList{field.Required(at, m.field+" is required when subject kind is '"+string(m.kind)+"'")}
		case m.kind == s.Kind:
			known = true
			own = m.check(at)
		case m.set:
			others = append(others, field.Forbidden(at, m.field+" is forbidden when subject kind is not '"+string(m.kind)+"'"))
		}
	}
	if !known {
		return field.ErrorList{field.NotSupported(path.Child("kind"), s.Kind, []flowcontrolv1.SubjectKind{
			flowcontrolv1.SubjectKindGroup, flowcontrolv1.SubjectKindServiceAccount, flowcontrolv1.SubjectKindUser})}
	}
	return append(own, others...)
}

func validateAccount(path *field.Path, account *flowcontrolv1.ServiceAccountSubject) field.ErrorList {
	errs := required(path.Child("name"), account.Name)
	if account.Name != "" && account.Name != flowcontrolv1.NameAll {
		errs = invalidName(path.Child("name"), account.Name, validation.ValidateServiceAccountName, "")
	}
	if account.Namespace == "" {
		return append(errs, field.Required(path.Child("namespace"), "must specify namespace for service account"))
	}
	return append(errs, invalidName(path.Child("namespace"), account.Namespace, validation.ValidateNamespaceName, "")...)
}

func required(path *field.Path, value string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return nil
}

func invalidName(path *field.Path, name string, rule validation.ValidateNameFunc, intro string) field.ErrorList {
	var errs field.ErrorList
	for _, wrong := range rule(name, false) {
		errs = append(errs, field.Invalid(path, name, intro+wrong))
	}
	return errs
}

func hasWildcard(values []string) bool { return contains(values, "*") }

func contains(values []string, value string) bool { return slices.Contains(values, value) }

// aloneInList refuses a wildcard that has company.
func aloneInList(path *field.Path, values []string, what string) field.ErrorList {
	if len(values) == 1 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, values, "if '*' is present, must not specify other "+what)}
}

func schemaConditions(s *flowcontrolv1.FlowSchema) []string {
	var types []string
	for _, c := range s.Status.Conditions {
		types = append(types, string(c.Type))
	}
	return types
}

func levelConditions(l *flowcontrolv1.PriorityLevelConfiguration) []string {
	var types []string
	for _, c := range l.Status.Conditions {
		types = append(types, string(c.Type))
	}
	return types
}

// validateConditions wants a type for each, and each once.
func validateConditions(types []string) field.ErrorList {
	var errs field.ErrorList
	for i, name := range types {
		at := field.NewPath("status", "conditions").Index(i).Child("type")
		if contains(types[:i], name) {
			errs = append(errs, field.Duplicate(at, name))
		}
		errs = append(errs, required(at, name)...)
	}
	return errs
}

// keepMetadata leaves the metadata as it was, but for what a write of the status changes itself.
func keepMetadata(obj, old metav1.Object) {
	obj.SetLabels(old.GetLabels())
	obj.SetAnnotations(old.GetAnnotations())
	obj.SetFinalizers(old.GetFinalizers())
	obj.SetOwnerReferences(old.GetOwnerReferences())
	obj.SetGeneration(old.GetGeneration())
}
