package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"proa/kinds/certificates"
	"proa/kinds/storage"
)

// Restrict is admission's part of what a node may do (upstream: NodeRestriction). It is asked for every write, on the
// object as it will be stored, and lets everything pass that does not come from a node. A node writes its own Node and
// Lease, the status of pods that are bound to it, and asks for tokens of those pods; nothing else.
func (x *Access) Restrict(ctx context.Context, w Write) error {
	if !strings.HasPrefix(w.User.Name, NodeUserPrefix) || !w.User.InGroup(GroupNodes) {
		return nil
	}
	node, ok := NodeName(w.User)
	if !ok {
		return w.forbidden(fmt.Errorf("could not determine node from user %q", w.User.Name))
	}
	switch (objectName{w.Group, w.Resource}) {
	case objectName{"", "pods"}:
		return restrictPod(node, &w)
	case objectName{"", "nodes"}:
		return restrictNode(node, &w)
	case objectName{"coordination.k8s.io", "leases"}:
		return restrictLease(node, &w)
	case objectName{"", "serviceaccounts"}:
		return x.restrictAccount(ctx, node, &w)
	case objectName{"", "persistentvolumes"}:
		return restrictVolume(node, &w)
	case objectName{"certificates.k8s.io", "certificatesigningrequests"}:
		return restrictRequest(node, &w)
	case objectName{"", "persistentvolumeclaims"}:
		if w.Subresource != "status" {
			return w.forbidden(errors.New("may only update PVC status"))
		}
	}
	return nil
}

// restrictRequest: a node asks for certificates of its own alone.
func restrictRequest(node string, w *Write) error {
	r, ok := w.Object.(*certificatesv1.CertificateSigningRequest)
	if !ok || w.Verb != "create" {
		return nil
	}
	switch r.Spec.SignerName {
	case certificatesv1.KubeletServingSignerName, certificatesv1.KubeAPIServerClientKubeletSignerName:
	default:
		return nil
	}
	parsed, err := certificates.ParseRequest(r.Spec.Request)
	if err != nil {
		return w.forbidden(fmt.Errorf("unable to parse csr: %w", err))
	}
	if parsed.Subject.CommonName != NodeUserPrefix+node {
		return w.forbidden(fmt.Errorf("can only create a node CSR with CN=%s%s", NodeUserPrefix, node))
	}
	return nil
}

// restrictVolume: a node takes its own finalizer off volumes whose directories were on it.
func restrictVolume(node string, w *Write) error {
	v, ok := w.Object.(*corev1.PersistentVolume)
	old, had := w.Old.(*corev1.PersistentVolume)
	if !ok || !had || w.Subresource != "" {
		return w.forbidden(errors.New("may only let its own volumes go"))
	}
	if on, _, local := storage.LocalVolume(old); !local || on != node {
		return w.forbidden(fmt.Errorf("node %q is not allowed to modify volumes of others", node))
	}
	now, before := v.DeepCopy(), old.DeepCopy()
	kept := slices.DeleteFunc(before.Finalizers, func(f string) bool { return f == storage.LocalFinalizer })
	if !slices.Equal(now.Finalizers, kept) || !equality.Semantic.DeepEqual(now.Spec, before.Spec) || !maps.Equal(now.Labels, before.Labels) ||
		!maps.Equal(now.Annotations, before.Annotations) || !equality.Semantic.DeepEqual(now.OwnerReferences, before.OwnerReferences) {
		return w.forbidden(fmt.Errorf("node %q is only allowed to remove the finalizer %s", node, storage.LocalFinalizer))
	}
	return nil
}

func restrictNode(node string, w *Write) error {
	if name := w.name(); name != node {
		return w.forbidden(fmt.Errorf("node %q is not allowed to modify node %q", node, name))
	}
	obj, ok := w.Object.(*corev1.Node)
	if !ok {
		return nil
	}
	if w.Verb == "create" {
		if obj.Spec.ConfigSource != nil {
			return w.forbidden(fmt.Errorf("node %q is not allowed to create pods with a non-nil configSource", node))
		}
		if len(obj.OwnerReferences) > 0 { // upstream: only on update; a node that is owned can be deleted through its owner
			return w.forbidden(fmt.Errorf("node %q is not allowed to modify ownerReferences", node))
		}
		if labels := ForbiddenLabels(obj.Labels, nil); len(labels) > 0 {
			return w.forbidden(fmt.Errorf("node %q is not allowed to set the following labels: %s", node, strings.Join(labels, ", ")))
		}
		return nil
	}
	old, ok := w.Old.(*corev1.Node)
	switch {
	case !ok:
		return w.forbidden(fmt.Errorf("unexpected type %T", w.Old))
	case obj.Spec.ConfigSource != nil && !equality.Semantic.DeepEqual(obj.Spec.ConfigSource, old.Spec.ConfigSource):
		return w.forbidden(fmt.Errorf("node %q is not allowed to update configSource to a new non-nil configSource", node))
	case !equality.Semantic.DeepEqual(obj.Spec.Taints, old.Spec.Taints):
		return w.forbidden(fmt.Errorf("node %q is not allowed to modify taints", node))
	case !equality.Semantic.DeepEqual(obj.OwnerReferences, old.OwnerReferences):
		return w.forbidden(fmt.Errorf("node %q is not allowed to modify ownerReferences", node))
	}
	if labels := ForbiddenLabels(obj.Labels, old.Labels); len(labels) > 0 {
		return w.forbidden(fmt.Errorf("is not allowed to modify labels: %s", strings.Join(labels, ", ")))
	}
	return nil
}

// ForbiddenLabels lists the labels that differ and are not a node's to set: with them it could draw pods to itself.
func ForbiddenLabels(labels, old map[string]string) []string {
	var forbidden []string
	for key := range maps.All(merged(labels, old)) {
		value, ok := labels[key]
		oldValue, oldOK := old[key]
		if ok == oldOK && value == oldValue {
			continue
		}
		prefix, _, _ := strings.Cut(key, "/")
		if !strings.Contains(key, "/") {
			continue
		}
		if within(prefix, corev1.LabelNamespaceNodeRestriction) || (within(prefix, "kubernetes.io") || within(prefix, "k8s.io")) && !nodeLabel(key, prefix) {
			forbidden = append(forbidden, key)
		}
	}
	sort.Strings(forbidden)
	return forbidden
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

func within(domain, parent string) bool {
	return domain == parent || strings.HasSuffix(domain, "."+parent)
}

// nodeLabel says whether a label of the project's own domains is one that nodes set.
func nodeLabel(key, prefix string) bool {
	switch key {
	case corev1.LabelHostname, corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaZone,
		corev1.LabelFailureDomainBetaRegion, corev1.LabelInstanceType, corev1.LabelInstanceTypeStable, corev1.LabelOSStable,
		corev1.LabelArchStable, corev1.LabelWindowsBuild, "beta.kubernetes.io/os", "beta.kubernetes.io/arch":
		return true
	}
	return within(prefix, corev1.LabelNamespaceSuffixKubelet) || within(prefix, corev1.LabelNamespaceSuffixNode)
}

func restrictLease(node string, w *Write) error {
	if w.Namespace != corev1.NamespaceNodeLease {
		return w.forbidden(fmt.Errorf("can only access leases in the %q system namespace", corev1.NamespaceNodeLease))
	}
	if w.name() != node {
		return w.forbidden(errors.New("can only access node lease with the same name as the requesting node"))
	}
	return nil
}

// restrictAccount: a node asks for tokens only of pods that are bound to it, for audiences that the pod mounts.
func (x *Access) restrictAccount(ctx context.Context, node string, w *Write) error {
	if w.Verb != "create" || w.Subresource != "token" {
		return nil
	}
	request, ok := w.Body.(*authenticationv1.TokenRequest)
	if !ok {
		return w.forbidden(fmt.Errorf("unexpected type %T", w.Body))
	}
	ref := request.Spec.BoundObjectRef
	if ref == nil || ref.APIVersion != "v1" || ref.Kind != "Pod" || ref.Name == "" {
		return w.forbidden(errors.New("node requested token not bound to a pod"))
	}
	if ref.UID == "" {
		return w.forbidden(errors.New("node requested token with a pod binding without a uid"))
	}
	pod, ok := lookup[*corev1.Pod](w.Snapshot, "pods", w.Namespace, ref.Name)
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, ref.Name)
	}
	if ref.UID != pod.UID {
		return w.forbidden(fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID))
	}
	if pod.Spec.NodeName != node {
		return w.forbidden(errors.New("node requested token bound to a pod scheduled on a different node"))
	}
	return x.restrictAudience(ctx, w, pod, request.Spec.Audiences)
}

func (x *Access) restrictAudience(ctx context.Context, w *Write, pod *corev1.Pod, audiences []string) error {
	if len(audiences) > 1 {
		return w.forbidden(errors.New("node may only request 0 or 1 audiences"))
	}
	audience := strings.Join(audiences, "")
	for _, v := range pod.Spec.Volumes {
		if v.Projected == nil {
			continue
		}
		if slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.ServiceAccountToken != nil && s.ServiceAccountToken.Audience == audience
		}) {
			return nil
		}
	}
	allowed, _, err := x.Authorize(ctx, Attributes{User: w.User, Verb: "request-serviceaccounts-token-audience", APIVersion: "v1",
		Namespace: w.Namespace, Resource: audience, Name: w.Name, IsResourceRequest: true})
	if allowed {
		return nil
	}
	if err != nil {
		return w.forbidden(fmt.Errorf("audience %q not found in pod spec volume, error authorizing %s to request tokens for this audience: %w", audience, w.User.Name, err))
	}
	return w.forbidden(fmt.Errorf("audience %q not found in pod spec volume, %s is not authorized to request tokens for this audience", audience, w.User.Name))
}

func (w *Write) name() string {
	if w.Name == "" && w.Object != nil {
		return w.Object.GetName()
	}
	return w.Name
}

// nodeUID is the UID of a node, empty if there is none.
func nodeUID(w *Write, node string) types.UID {
	if obj, ok := lookup[*corev1.Node](w.Snapshot, "nodes", "", node); ok {
		return obj.UID
	}
	return ""
}
