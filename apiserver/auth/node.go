package auth

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/selection"

	"proa/store"
)

// nodeAccess decides what a node may do: read its own Node and Lease, the pods that are bound to it, and the secrets, config
// maps, claims and accounts that those pods name. What it may write is narrowed further by Restrict, which sees the objects.
//
// Upstream keeps a graph of who uses what up to date. Here the pods of the one namespace that is asked about are looked
// through in the newest snapshot: a node asks for a secret when a pod starts, not in a loop, and nothing can be stale.
type nodeAccess struct {
	source Source
}

// nodeRules are what every node may do alike.
var nodeRules = [...]rbacv1.PolicyRule{
	{Verbs: []string{"create"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}},
	{Verbs: []string{"create"}, APIGroups: []string{"authorization.k8s.io"},
		Resources: []string{"subjectaccessreviews", "localsubjectaccessreviews"}},
	{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"services"}},
	{Verbs: []string{"create", "patch", "update"}, APIGroups: []string{"", "events.k8s.io"}, Resources: []string{"events"}},
	{Verbs: []string{"create", "get", "list", "watch"}, APIGroups: []string{"certificates.k8s.io"},
		Resources: []string{"certificatesigningrequests"}},
	{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"storage.k8s.io"}, Resources: []string{"csidrivers"}},
	// A volume names secrets at most, and holds none.
	{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"persistentvolumes"}},
	{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"node.k8s.io"}, Resources: []string{"runtimeclasses"}},
	{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"clustertrustbundles"}},
	// The agent is also the node's service proxy, DNS server and pod network, which upstream runs under identities of
	// their own with these rules (system:node-proxier, system:coredns).
	{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}},
	{Verbs: []string{"list", "watch"}, APIGroups: []string{""}, Resources: []string{"nodes", "namespaces"}},
}

// authorize returns why not, for people, when it does not allow.
func (n *nodeAccess) authorize(node string, a *Attributes) (bool, string) {
	if a.IsResourceRequest {
		switch (objectName{a.APIGroup, a.Resource}) {
		case objectName{"", "secrets"}, objectName{"", "configmaps"}:
			return n.read(node, a)
		case objectName{"", "persistentvolumeclaims"}:
			if a.Subresource == "status" && (a.Verb == "update" || a.Verb == "patch") {
				return n.related(node, a)
			}
			return n.get(node, a)
		case objectName{"", "persistentvolumes"}:
			if a.Subresource == "" && (a.Verb == "update" || a.Verb == "patch") {
				return true, "" // to let volumes go whose directories it removed; Restrict sees which
			}
		case objectName{"", "serviceaccounts"}:
			return n.account(node, a)
		case objectName{"coordination.k8s.io", "leases"}:
			return lease(node, a)
		case objectName{"", "nodes"}:
			return ownNode(node, a)
		case objectName{"", "pods"}:
			return n.pod(node, a)
		}
	}
	for i := range nodeRules {
		if ruleAllows(a, &nodeRules[i]) {
			return true, ""
		}
	}
	return false, ""
}

func (n *nodeAccess) read(node string, a *Attributes) (bool, string) {
	switch {
	case a.Verb != "get" && a.Verb != "list" && a.Verb != "watch":
		return false, "can only read resources of this type"
	case a.Subresource != "":
		return false, "cannot read subresource"
	case a.Namespace == "":
		return false, "can only read namespaced object of this type"
	}
	return n.related(node, a)
}

func (n *nodeAccess) get(node string, a *Attributes) (bool, string) {
	switch {
	case a.Verb != "get":
		return false, "can only get individual resources of this type"
	case a.Subresource != "":
		return false, "cannot get subresource"
	}
	return n.related(node, a)
}

// account: a node reads the accounts of its pods and asks for their tokens.
func (n *nodeAccess) account(node string, a *Attributes) (bool, string) {
	if a.Verb == "get" && a.Subresource == "" {
		return n.read(node, a)
	}
	switch {
	case a.Verb != "create" || a.Name == "":
		return false, "can only create tokens for individual service accounts"
	case a.Subresource != "token":
		return false, "can only create token subresource of serviceaccount"
	}
	return n.related(node, a)
}

func lease(node string, a *Attributes) (bool, string) {
	switch a.Verb {
	case "get", "create", "update", "patch", "delete":
	default:
		return false, "can only get, create, update, patch, or delete a node lease"
	}
	if a.Namespace != corev1.NamespaceNodeLease {
		return false, fmt.Sprintf("can only access leases in the %q system namespace", corev1.NamespaceNodeLease)
	}
	if a.Verb != "create" && a.Name != node { // the name of what is created is known to Restrict
		return false, "can only access node lease with the same name as the requesting node"
	}
	return true, ""
}

func ownNode(node string, a *Attributes) (bool, string) {
	switch a.Subresource {
	case "":
		switch a.Verb {
		case "create", "update", "patch":
			return true, "" // Restrict sees which
		case "list", "watch":
			return true, "" // as the node's proxy and pod network; see nodeRules
		case "get":
			if a.Name != node {
				return false, fmt.Sprintf("node '%s' cannot read '%s', only its own Node object", node, a.Name)
			}
			return true, ""
		}
	case "status":
		return a.Verb == "update" || a.Verb == "patch", ""
	}
	return false, ""
}

func (n *nodeAccess) pod(node string, a *Attributes) (bool, string) {
	switch a.Subresource {
	case "":
		switch a.Verb {
		case "get":
			return n.related(node, a)
		case "list", "watch":
			if selectsNode(a.FieldSelector, node) {
				return true, ""
			}
			if a.Name != "" {
				return n.related(node, a)
			}
			return false, "can only list/watch pods with spec.nodeName field selector"
		case "create", "delete":
			return true, "" // mirror pods; Restrict sees which
		}
	case "status":
		return a.Verb == "update" || a.Verb == "patch", ""
	case "eviction":
		return a.Verb == "create", ""
	}
	return false, ""
}

// selectsNode says whether a selector yields nothing but pods of the node.
func selectsNode(selector fields.Selector, node string) bool {
	if selector == nil {
		return false
	}
	for _, r := range selector.Requirements() {
		if r.Field == "spec.nodeName" && r.Value == node && (r.Operator == selection.Equals || r.Operator == selection.DoubleEquals) {
			return true
		}
	}
	return false
}

// related says whether a pod of the node names the object.
func (n *nodeAccess) related(node string, a *Attributes) (bool, string) {
	if a.Name == "" {
		return false, "No Object name found"
	}
	snap := n.source.Snapshot()
	for item := range snap.List("pods", a.Namespace, store.Key{}) {
		if a.Namespace == "" {
			break // none of these kinds is without a namespace
		}
		pod, ok := item.Value().(*corev1.Pod)
		if ok && pod.Spec.NodeName == node && podUses(pod, a.Resource, a.Name) {
			return true, ""
		}
	}
	return false, fmt.Sprintf("no relationship found between node '%s' and this object", node)
}
