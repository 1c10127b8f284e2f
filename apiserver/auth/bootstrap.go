package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"proa/kinds/rbac"
	"proa/kinds/resource"
	"proa/store"
)

// Change is one write that Plan asks for.
type Change struct {
	Table  string
	Object resource.Object
	Verb   string // "create", "update", or "replace": delete what is there and create this
}

// Writer makes the writes of Bootstrap; the assembler gives one that acts as the system itself. It is called from several
// goroutines, so that the writes share commits.
type Writer interface {
	Write(ctx context.Context, c Change) error
}

// Bootstrap brings the roles and bindings that a cluster starts with up to date: it adds what is missing, and takes
// nothing away that somebody added. Objects that say "rbac.authorization.kubernetes.io/autoupdate: false" are left alone.
// It is called at each start, once the store can be written; it may be called again after an error.
func Bootstrap(ctx context.Context, source Source, w Writer) error {
	changes := Plan(source.Snapshot(), rbac.Bootstrap())
	split := slices.IndexFunc(changes, func(c Change) bool { return c.Table != "namespaces" })
	if split < 0 {
		split = len(changes)
	}
	if err := writeAll(ctx, w, changes[:split]); err != nil { // what is in a namespace comes after it
		return err
	}
	return writeAll(ctx, w, changes[split:])
}

func writeAll(ctx context.Context, w Writer, changes []Change) error {
	var wg sync.WaitGroup
	failed := make([]error, len(changes))
	for i, c := range changes {
		wg.Go(func() {
			err := w.Write(ctx, c)
			if err != nil && !(c.Verb == "create" && apierrors.IsAlreadyExists(err)) {
				failed[i] = fmt.Errorf("%s %s %s: %w", c.Verb, c.Table, c.Object.GetName(), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// Plan compares the policy with what is stored. The namespaces that the policy's roles are in come first.
func Plan(snap store.Snapshot, policy rbac.Policy) []Change {
	var changes []Change
	for _, name := range namespacesOf(policy) {
		if snap.Get(store.Key{Table: "namespaces", Name: name}) == nil {
			changes = append(changes, Change{"namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, "create"})
		}
	}
	for _, want := range policy.ClusterRoles {
		changes = plan(changes, snap, tableClusterRoles, want, reconcileClusterRole)
	}
	for _, want := range policy.Roles {
		changes = plan(changes, snap, tableRoles, want, reconcileRole)
	}
	for _, want := range policy.ClusterRoleBindings {
		changes = plan(changes, snap, tableClusterRoleBindings, want, reconcileClusterRoleBinding)
	}
	for _, want := range policy.RoleBindings {
		changes = plan(changes, snap, tableRoleBindings, want, reconcileRoleBinding)
	}
	return changes
}

func namespacesOf(policy rbac.Policy) []string {
	var names []string
	for _, r := range policy.Roles {
		names = append(names, r.Namespace)
	}
	for _, b := range policy.RoleBindings {
		names = append(names, b.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// plan appends what one object needs. reconcile changes a copy of what is stored, and says which verb that takes.
func plan[T interface {
	resource.Object
	DeepCopy() T
}](changes []Change, snap store.Snapshot, table string, want T, reconcile func(stored, want T) string) []Change {
	stored, ok := lookup[T](snap, table, want.GetNamespace(), want.GetName())
	if !ok {
		return append(changes, Change{table, want, "create"})
	}
	if stored.GetAnnotations()[rbacv1.AutoUpdateAnnotationKey] != "true" {
		return changes
	}
	obj := stored.DeepCopy()
	verb := reconcile(obj, want)
	if addMissing(obj, want) && verb == "" {
		verb = "update"
	}
	switch verb {
	case "":
		return changes
	case "replace":
		return append(changes, Change{table, want, verb})
	}
	return append(changes, Change{table, obj, verb})
}

// addMissing adds labels and annotations that are not there; values that somebody changed stay.
func addMissing(obj, want resource.Object) bool {
	labels, labelsChanged := union(obj.GetLabels(), want.GetLabels())
	annotations, annotationsChanged := union(obj.GetAnnotations(), want.GetAnnotations())
	obj.SetLabels(labels)
	obj.SetAnnotations(annotations)
	return labelsChanged || annotationsChanged
}

func union(have, want map[string]string) (map[string]string, bool) {
	all, changed := merged(have, nil), false
	for key, value := range want {
		if _, ok := all[key]; !ok {
			all[key], changed = value, true
		}
	}
	return all, changed
}

func addRules(have *[]rbacv1.PolicyRule, want []rbacv1.PolicyRule) bool {
	covered, missing := validation.Covers(*have, want)
	if !covered {
		*have = append(slices.Clip(*have), compactRules(missing)...)
	}
	return !covered
}

func reconcileRole(obj, want *rbacv1.Role) string {
	if addRules(&obj.Rules, want.Rules) {
		return "update"
	}
	return ""
}

func reconcileClusterRole(obj, want *rbacv1.ClusterRole) string {
	changed := addRules(&obj.Rules, want.Rules)
	if want.AggregationRule != nil {
		if obj.AggregationRule == nil {
			obj.AggregationRule = &rbacv1.AggregationRule{}
		}
		for _, selector := range want.AggregationRule.ClusterRoleSelectors {
			if !slices.ContainsFunc(obj.AggregationRule.ClusterRoleSelectors, func(s metav1.LabelSelector) bool {
				return s.String() == selector.String()
			}) {
				obj.AggregationRule.ClusterRoleSelectors = append(obj.AggregationRule.ClusterRoleSelectors, selector)
				changed = true
			}
		}
	}
	if changed {
		return "update"
	}
	return ""
}

func reconcileClusterRoleBinding(obj, want *rbacv1.ClusterRoleBinding) string {
	return reconcileBinding(obj.RoleRef, want.RoleRef, &obj.Subjects, want.Subjects)
}

func reconcileRoleBinding(obj, want *rbacv1.RoleBinding) string {
	return reconcileBinding(obj.RoleRef, want.RoleRef, &obj.Subjects, want.Subjects)
}

// reconcileBinding adds subjects. A binding to another role cannot be changed, only replaced.
func reconcileBinding(role, wantRole rbacv1.RoleRef, have *[]rbacv1.Subject, want []rbacv1.Subject) string {
	if role != wantRole {
		return "replace"
	}
	changed := false
	for _, s := range want {
		if !slices.Contains(*have, s) {
			*have, changed = append(slices.Clip(*have), s), true
		}
	}
	if changed {
		return "update"
	}
	return ""
}
