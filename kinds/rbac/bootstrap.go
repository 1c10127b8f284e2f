package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Policy is what a cluster grants before anybody has granted anything.
type Policy struct {
	ClusterRoles        []*rbacv1.ClusterRole
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding
	Roles               []*rbacv1.Role
	RoleBindings        []*rbacv1.RoleBinding
}

// Bootstrap is the policy of upstream v1.36: the same names, rules and subjects, so that what is written for other
// clusters finds them here. Roles that aggregate others hold their rules already. The objects are new with each call;
// they carry the annotation that asks for reconciliation at start (RBAC: "auto-reconciliation").
func Bootstrap() Policy {
	var policy Policy
	for _, grants := range [][]grant{userRoles(), controlPlaneRoles(), nodeRoles(), certificateRoles()} {
		for _, g := range grants {
			policy.ClusterRoles = append(policy.ClusterRoles, clusterRole(g.name, g.rules))
		}
	}
	policy.ClusterRoleBindings = clusterBindings()
	for _, grants := range [][]grant{workloadControllers(), networkControllers(), volumeControllers(), clusterControllers()} {
		for _, g := range grants {
			name := controllerPrefix + g.name
			policy.ClusterRoles = append(policy.ClusterRoles, clusterRole(name, g.rules))
			policy.ClusterRoleBindings = append(policy.ClusterRoleBindings, clusterBinding(name, account(g.name)))
		}
	}
	policy.ClusterRoles = withAggregates(policy.ClusterRoles)
	for _, g := range systemRoles() {
		policy.Roles = append(policy.Roles, &rbacv1.Role{ObjectMeta: metadata(metav1.NamespaceSystem, g.name), Rules: g.rules})
	}
	for _, g := range publicRoles() {
		policy.Roles = append(policy.Roles, &rbacv1.Role{ObjectMeta: metadata(metav1.NamespacePublic, g.name), Rules: g.rules})
	}
	policy.RoleBindings = roleBindings()
	return policy
}

const (
	controllerPrefix = "system:controller:"
	aggregatePrefix  = "rbac.authorization.k8s.io/aggregate-to-"
	aggregatorPrefix = "system:aggregate-to-"
)

// withAggregates adds admin, edit and view, each made of the one below it and of its own part, and computes their rules.
func withAggregates(roles []*rbacv1.ClusterRole) []*rbacv1.ClusterRole {
	for _, role := range roles {
		if part, ok := strings.CutPrefix(role.Name, aggregatorPrefix); ok {
			role.Labels[aggregatePrefix+part] = "true"
		}
	}
	// Sorted by name all along, for Aggregate takes rules in the order it is given.
	byName := func(a, b *rbacv1.ClusterRole) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(roles, byName)
	// From the narrowest to the widest, so that each finds the rules of the one before.
	for _, step := range []struct{ name, into string }{{"view", "edit"}, {"edit", "admin"}, {"admin", ""}} {
		role := clusterRole(step.name, nil)
		if step.into != "" {
			role.Labels[aggregatePrefix+step.into] = "true"
		}
		role.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{
			MatchLabels: map[string]string{aggregatePrefix + step.name: "true"},
		}}}
		role.Rules = Aggregate(role, slices.Values(roles))
		roles = append(roles, role)
		slices.SortFunc(roles, byName)
	}
	return roles
}

func clusterBindings() []*rbacv1.ClusterRoleBinding {
	return []*rbacv1.ClusterRoleBinding{
		clusterBinding("cluster-admin", group("system:masters")),
		clusterBinding("system:basic-user", group("system:authenticated")),
		clusterBinding("system:discovery", group("system:authenticated")),
		clusterBinding("system:public-info-viewer", group("system:authenticated"), group("system:unauthenticated")),
		clusterBinding("system:monitoring", group("system:monitoring")),
		clusterBinding("system:service-account-issuer-discovery", group("system:serviceaccounts")),
		clusterBinding("system:kube-controller-manager", user("system:kube-controller-manager")),
		clusterBinding("system:kube-scheduler", user("system:kube-scheduler")),
		clusterBinding("system:volume-scheduler", user("system:kube-scheduler")),
		clusterBinding("system:kube-dns", account("kube-dns")),
		clusterBinding("system:node-proxier", user("system:kube-proxy")),
		// Nobody: nodes get their rights from the node authorizer, which knows which pods are theirs.
		clusterBinding("system:node"),
	}
}

func roleBindings() []*rbacv1.RoleBinding {
	const system, public = metav1.NamespaceSystem, metav1.NamespacePublic
	authentication := binding(system, "extension-apiserver-authentication-reader", user("system:kube-controller-manager"), user("system:kube-scheduler"))
	authentication.Name = "system::extension-apiserver-authentication-reader"
	return []*rbacv1.RoleBinding{
		authentication,
		binding(system, "system::leader-locking-kube-controller-manager",
			user("system:kube-controller-manager"), account("kube-controller-manager"), account("leader-election-controller")),
		binding(system, "system::leader-locking-kube-scheduler", user("system:kube-scheduler"), account("kube-scheduler")),
		binding(system, controllerPrefix+"bootstrap-signer", account("bootstrap-signer")),
		binding(system, controllerPrefix+"cloud-provider", account("cloud-provider")),
		binding(system, controllerPrefix+"token-cleaner", account("token-cleaner")),
		binding(public, controllerPrefix+"bootstrap-signer", account("bootstrap-signer")),
	}
}

func metadata(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:        name,
		Namespace:   namespace,
		Labels:      map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"},
		Annotations: map[string]string{rbacv1.AutoUpdateAnnotationKey: "true"},
	}
}

func clusterRole(name string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metadata("", name), Rules: rules}
}

func clusterBinding(role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metadata("", role),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   subjects,
	}
}

func binding(namespace, role string, subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metadata(namespace, role),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role},
		Subjects:   subjects,
	}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}

func group(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

// account is a service account of kube-system.
func account(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceSystem, Name: name}
}
