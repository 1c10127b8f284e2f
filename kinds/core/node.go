package core

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Node is the row of nodes. Its proxy subresource is a stream and belongs to the API server.
func Node() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "nodes", Singular: "node", Kind: "Node", ShortNames: []string{"no"},
		New:                      func() resource.Object { return &corev1.Node{} },
		NewList:                  func() runtime.Object { return &corev1.NodeList{} },
		Default:                  resource.Do(defaultNode),
		PrepareCreate:            resource.Do(createNode),
		PrepareUpdate:            resource.Do2(updateNode),
		Validate:                 resource.Typed(validateNode),
		ValidateUpdate:           resource.Typed2(validateNodeUpdate),
		Warnings:                 func(obj, _ resource.Object) []string { return nodeWarnings(obj.(*corev1.Node)) },
		AllowUnconditionalUpdate: true,
		Status: &resource.Subresource{
			Name: "status", Verbs: []string{"get", "patch", "update"},
			PrepareUpdate:  resource.Do2(updateNodeStatus),
			ValidateUpdate: resource.Typed2(validateNodeChange),
		},
		Columns: nodeColumns(),
		Row:     resource.Typed(nodeRow),
		Fields: resource.Typed(func(node *corev1.Node) fields.Set {
			return fields.Set{"spec.unschedulable": strconv.FormatBool(node.Spec.Unschedulable)}
		}),
		FieldLabels: []string{"spec.unschedulable"},
	}
}

func defaultNode(node *corev1.Node) {
	meta.RoundUp(node.Status.Capacity)
	if node.Status.Allocatable == nil && node.Status.Capacity != nil {
		node.Status.Allocatable = node.Status.Capacity.DeepCopy()
	}
	meta.RoundUp(node.Status.Allocatable)
	defaultPodCIDRs(node)
}

// defaultPodCIDRs keeps podCIDR the first of podCIDRs, whichever of the two a client gave.
func defaultPodCIDRs(node *corev1.Node) {
	spec := &node.Spec
	if len(spec.PodCIDRs) == 0 && spec.PodCIDR != "" {
		spec.PodCIDRs = []string{spec.PodCIDR}
	}
	if len(spec.PodCIDRs) > 0 {
		// Upstream drops the list when a client that knows podCIDR alone has changed it.
		if spec.PodCIDR != "" && spec.PodCIDR != spec.PodCIDRs[0] {
			spec.PodCIDRs = []string{spec.PodCIDR}
		}
		spec.PodCIDR = spec.PodCIDRs[0]
	}
}

// createNode: a node may be created with its status. Only the remains of dynamic kubelet configuration are dropped.
func createNode(node *corev1.Node) {
	node.Spec.ConfigSource = nil
	node.Status.Config = nil
}

func updateNode(node, old *corev1.Node) {
	node.Status = *old.Status.DeepCopy()
	if old.Spec.ConfigSource == nil {
		node.Spec.ConfigSource = nil
	}
}

func updateNodeStatus(node, old *corev1.Node) {
	node.Spec = *old.Spec.DeepCopy()
	if old.Status.Config == nil {
		node.Status.Config = nil
	}
}

func nodeColumns() []resource.Column {
	status, info := corev1.NodeStatus{}.SwaggerDoc(), corev1.NodeSystemInfo{}.SwaggerDoc()
	return []resource.Column{
		meta.Name(),
		meta.Column("Status", "The status of the node"),
		meta.Column("Roles", "The roles of the node"),
		meta.Age(),
		meta.Column("Version", info["kubeletVersion"]),
		meta.Wide("Internal-IP", status["addresses"]),
		meta.Wide("External-IP", status["addresses"]),
		meta.Wide("OS-Image", info["osImage"]),
		meta.Wide("Kernel-Version", info["kernelVersion"]),
		meta.Wide("Container-Runtime", info["containerRuntimeVersion"]),
	}
}

func nodeRow(node *corev1.Node) []any {
	info := node.Status.NodeInfo
	kernel := orUnknown(info.KernelVersion)
	if info.Architecture != "" {
		kernel += " (" + info.Architecture + ")"
	}
	return []any{
		node.Name, nodeState(node), nodeRoles(node), meta.Since(node.CreationTimestamp), info.KubeletVersion,
		nodeAddress(node, corev1.NodeInternalIP), nodeAddress(node, corev1.NodeExternalIP),
		orUnknown(info.OSImage), kernel, orUnknown(info.ContainerRuntimeVersion),
	}
}

// nodeState is Ready or what hinders it.
func nodeState(node *corev1.Node) string {
	state := "Unknown"
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			state = "NotReady"
			if condition.Status == corev1.ConditionTrue {
				state = "Ready"
			}
		}
	}
	if node.Spec.Unschedulable {
		state += ",SchedulingDisabled"
	}
	return state
}

// nodeRoles reads the roles off the labels that give them, in order.
func nodeRoles(node *corev1.Node) string {
	var roles []string
	for label, value := range node.Labels {
		role, ok := strings.CutPrefix(label, "node-role.kubernetes.io/")
		if !ok && label == "kubernetes.io/role" {
			role = value
			ok = true
		}
		if ok && role != "" {
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 {
		return "<none>"
	}
	slices.Sort(roles)
	return strings.Join(slices.Compact(roles), ",")
}

func nodeAddress(node *corev1.Node, kind corev1.NodeAddressType) string {
	for _, address := range node.Status.Addresses {
		if address.Type == kind {
			return address.Address
		}
	}
	return "<none>"
}

func orUnknown(text string) string {
	if text == "" {
		return "<unknown>"
	}
	return text
}
