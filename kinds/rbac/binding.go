package rbac

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// RoleBinding is the row of rolebindings.
func RoleBinding() *resource.Resource {
	return &resource.Resource{
		Group: rbacv1.GroupName, Version: "v1", Name: "rolebindings", Singular: "rolebinding", Kind: "RoleBinding", Namespaced: true,
		New:                      func() resource.Object { return &rbacv1.RoleBinding{} },
		NewList:                  func() runtime.Object { return &rbacv1.RoleBindingList{} },
		Default:                  resource.Do(func(b *rbacv1.RoleBinding) { defaultBinding(&b.RoleRef, b.Subjects) }),
		Validate:                 resource.Typed(validateRoleBinding),
		ValidateUpdate:           resource.Typed2(validateRoleBindingUpdate),
		ValidateName:             validateName,
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  bindingColumns("roleBinding", rbacv1.RoleBinding{}.SwaggerDoc()["roleRef"]),
		Row: resource.Typed(func(b *rbacv1.RoleBinding) []any {
			return append([]any{b.Name, b.RoleRef.Kind + "/" + b.RoleRef.Name, meta.Since(b.CreationTimestamp)}, subjectCells(b.Subjects)...)
		}),
	}
}

// ClusterRoleBinding is the row of clusterrolebindings.
func ClusterRoleBinding() *resource.Resource {
	return &resource.Resource{
		Group: rbacv1.GroupName, Version: "v1", Name: "clusterrolebindings", Singular: "clusterrolebinding", Kind: "ClusterRoleBinding",
		New:                      func() resource.Object { return &rbacv1.ClusterRoleBinding{} },
		NewList:                  func() runtime.Object { return &rbacv1.ClusterRoleBindingList{} },
		Default:                  resource.Do(func(b *rbacv1.ClusterRoleBinding) { defaultBinding(&b.RoleRef, b.Subjects) }),
		Validate:                 resource.Typed(validateClusterRoleBinding),
		ValidateUpdate:           resource.Typed2(validateClusterRoleBindingUpdate),
		ValidateName:             validateName,
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  bindingColumns("clusterRoleBinding", rbacv1.ClusterRoleBinding{}.SwaggerDoc()["roleRef"]),
		Row: resource.Typed(func(b *rbacv1.ClusterRoleBinding) []any {
			return append([]any{b.Name, b.RoleRef.Kind + "/" + b.RoleRef.Name, meta.Since(b.CreationTimestamp)}, subjectCells(b.Subjects)...)
		}),
	}
}

func defaultBinding(ref *rbacv1.RoleRef, subjects []rbacv1.Subject) {
	if ref.APIGroup == "" {
		ref.APIGroup = rbacv1.GroupName
	}
	for i := range subjects {
		subject := &subjects[i]
		if subject.APIGroup == "" && (subject.Kind == rbacv1.UserKind || subject.Kind == rbacv1.GroupKind) {
			subject.APIGroup = rbacv1.GroupName
		}
	}
}

func validateRoleBinding(binding *rbacv1.RoleBinding) field.ErrorList {
	return validateBinding(binding.RoleRef, binding.Subjects, true)
}

func validateClusterRoleBinding(binding *rbacv1.ClusterRoleBinding) field.ErrorList {
	return validateBinding(binding.RoleRef, binding.Subjects, false)
}

func validateRoleBindingUpdate(binding, old *rbacv1.RoleBinding) field.ErrorList {
	return append(validateRoleBinding(binding), sameRole(binding.RoleRef, old.RoleRef)...)
}

func validateClusterRoleBindingUpdate(binding, old *rbacv1.ClusterRoleBinding) field.ErrorList {
	return append(validateClusterRoleBinding(binding), sameRole(binding.RoleRef, old.RoleRef)...)
}

// sameRole: whoever may edit a binding must not be able to make it grant something else.
func sameRole(ref, old rbacv1.RoleRef) field.ErrorList {
	if ref == old {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("roleRef"), meta.Internal(ref), "cannot change roleRef")}
}

func validateBinding(ref rbacv1.RoleRef, subjects []rbacv1.Subject, namespaced bool) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("roleRef")
	if ref.APIGroup != rbacv1.GroupName {
		errs = append(errs, field.NotSupported(path.Child("apiGroup"), ref.APIGroup, []string{rbacv1.GroupName}))
	}
	kinds := []string{"ClusterRole"}
	if namespaced {
		kinds = []string{"Role", "ClusterRole"}
	}
	if ref.Kind != "ClusterRole" && (ref.Kind != "Role" || !namespaced) {
		errs = append(errs, field.NotSupported(path.Child("kind"), ref.Kind, kinds))
	}
	if ref.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), ""))
	} else {
		errs = append(errs, meta.Each(path.Child("name"), ref.Name, validateName(ref.Name, false))...)
	}
	for i, subject := range subjects {
		errs = append(errs, validateSubject(field.NewPath("subjects").Index(i), subject, namespaced)...)
	}
	return errs
}

func validateSubject(path *field.Path, subject rbacv1.Subject, namespaced bool) field.ErrorList {
	var errs field.ErrorList
	if subject.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), ""))
	}
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		if subject.Name != "" {
			errs = append(errs, meta.Each(path.Child("name"), subject.Name, validation.ValidateServiceAccountName(subject.Name, false))...)
		}
		if subject.APIGroup != "" {
			errs = append(errs, field.NotSupported(path.Child("apiGroup"), subject.APIGroup, []string{""}))
		}
		if !namespaced && subject.Namespace == "" {
			errs = append(errs, field.Required(path.Child("namespace"), ""))
		}
	case rbacv1.UserKind, rbacv1.GroupKind:
		if subject.APIGroup != rbacv1.GroupName {
			errs = append(errs, field.NotSupported(path.Child("apiGroup"), subject.APIGroup, []string{rbacv1.GroupName}))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("kind"), subject.Kind,
			[]string{rbacv1.ServiceAccountKind, rbacv1.UserKind, rbacv1.GroupKind}))
	}
	return errs
}

func bindingColumns(kind, roleDoc string) []resource.Column {
	return []resource.Column{
		meta.Name(),
		meta.Column("Role", strings.TrimSuffix(roleDoc, " This field is immutable.")), // as the beta's doc was
		meta.Age(),
		meta.Wide("Users", "Users in the "+kind),
		meta.Wide("Groups", "Groups in the "+kind),
		meta.Wide("ServiceAccounts", "ServiceAccounts in the "+kind),
	}
}

func subjectCells(subjects []rbacv1.Subject) []any {
	var users, groups, accounts []string
	for _, subject := range subjects {
		switch subject.Kind {
		case rbacv1.UserKind:
			users = append(users, subject.Name)
		case rbacv1.GroupKind:
			groups = append(groups, subject.Name)
		case rbacv1.ServiceAccountKind:
			accounts = append(accounts, subject.Namespace+"/"+subject.Name)
		}
	}
	return []any{strings.Join(users, ", "), strings.Join(groups, ", "), strings.Join(accounts, ", ")}
}
