package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/apiserver/auth"
	"proa/client"
	"proa/kinds/flowcontrol"
	"proa/kinds/networking"
	"proa/kinds/scheduling"
	"proa/kinds/storage"
	"proa/ops/pki"
)

// systemUser is who writes what a cluster starts with.
const systemUser = "system:apiserver"

// dnsService names the Service of the cluster's DNS, which every node answers itself.
var dnsService = client.Ref{Table: "services", Namespace: metav1.NamespaceSystem, Name: "kube-dns"}

// bootstrap writes what a cluster starts with and what changed since it last did: namespaces, roles, priority classes,
// the default classes of storage and ingresses, the API's and the DNS server's Services. It is idempotent.
func (c *control) bootstrap(ctx context.Context) error {
	api := c.as(systemUser, "system:masters")
	namespaces := []client.Object{}
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, v1.NamespaceNodeLease} {
		namespaces = append(namespaces, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	if err := ensureAll(ctx, api, "namespaces", namespaces...); err != nil {
		return err
	}
	c.health.done(namespacesWritten)
	steps := []func() error{
		func() error { return auth.Bootstrap(ctx, c.store, roleWriter{api}) },
		func() error {
			classes := []client.Object{}
			for _, class := range scheduling.SystemClasses() {
				classes = append(classes, class)
			}
			return ensureAll(ctx, api, "priorityclasses.scheduling.k8s.io", classes...)
		},
		func() error {
			return ensureAll(ctx, api, "clusterrolebindings.rbac.authorization.k8s.io", nodeClientBinding())
		},
		func() error { return c.bootstrapSharing(ctx, api) },
		func() error { return ensureAll(ctx, api, "storageclasses.storage.k8s.io", localClass()) },
		func() error { return ensureAll(ctx, api, "ingressclasses.networking.k8s.io", edgeClass()) },
		func() error { return ensureAll(ctx, api, "servicecidrs.networking.k8s.io", c.serviceRanges()) },
		func() error { return c.bootstrapVersions(ctx, api) },
		func() error { return c.bootstrapServices(ctx, api) },
	}
	failed := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps { // together, so that their writes share commits
		wg.Go(func() { failed[i] = step() })
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("write what the cluster starts with: %w", err)
	}
	c.health.done(startSteps...)
	return nil
}

// bootstrapSharing writes by what rules requests share the API server. Controllers keep them in step from then on.
func (c *control) bootstrapSharing(ctx context.Context, api client.Client) error {
	var levels, schemas []client.Object
	for _, l := range slices.Concat(flowcontrol.MandatoryLevels(), flowcontrol.SuggestedLevels()) {
		levels = append(levels, l)
	}
	for _, s := range slices.Concat(flowcontrol.MandatorySchemas(), flowcontrol.SuggestedSchemas()) {
		schemas = append(schemas, s)
	}
	return errors.Join(ensureAll(ctx, api, "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io", levels...),
		ensureAll(ctx, api, "flowschemas.flowcontrol.apiserver.k8s.io", schemas...))
}

// localClass is the class of claims that name none: a directory of the node where the claim's first pod runs.
func localClass() client.Object {
	return &storagev1.StorageClass{
		ObjectMeta:           metav1.ObjectMeta{Name: storage.DefaultLocalsClass, Annotations: map[string]string{storage.DefaultAnnotation: "true"}},
		Provisioner:          storage.LocalDriver,
		VolumeBindingMode:    new(storagev1.VolumeBindingWaitForFirstConsumer),
		AllowVolumeExpansion: new(true),
	}
}

// nodeClientBinding lets the API server use the nodes' APIs.
func nodeClientBinding() client.Object {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "proa:kubelet-api-admin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:kubelet-api-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: pki.NodeClientUser}},
	}
}

// serviceRanges says where the Services' addresses come from.
func (c *control) serviceRanges() client.Object {
	return &networkingv1.ServiceCIDR{
		ObjectMeta: metav1.ObjectMeta{Name: networking.DefaultServiceCIDR},
		Spec:       networkingv1.ServiceCIDRSpec{CIDRs: []string{c.cfg.Services.String()}},
	}
}

func (c *control) bootstrapServices(ctx context.Context, api client.Client) error {
	if err := ensureAll(ctx, api, "services", c.apiService(), c.dnsServiceObject()); err != nil {
		return err
	}
	addr := netip.AddrPortFrom(c.cfg.nodeIP(), c.cfg.APIPort)
	if err := replace(ctx, api, "endpoints", apiEndpoints(addr), func(a, b client.Object) bool {
		return equality.Semantic.DeepEqual(a.(*v1.Endpoints).Subsets, b.(*v1.Endpoints).Subsets)
	}); err != nil {
		return err
	}
	return replace(ctx, api, "endpointslices.discovery.k8s.io", apiSlice(addr), func(a, b client.Object) bool {
		return equality.Semantic.DeepEqual(a.(*discoveryv1.EndpointSlice).Endpoints, b.(*discoveryv1.EndpointSlice).Endpoints)
	})
}

// apiService is the Service by which pods reach the API.
func (c *control) apiService() client.Object {
	return &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "kubernetes", Labels: map[string]string{"component": "apiserver", "provider": "kubernetes"}},
		Spec: v1.ServiceSpec{ClusterIP: c.cfg.apiServiceIP().String(), Ports: []v1.ServicePort{{
			Name: "https", Port: 443, Protocol: v1.ProtocolTCP, TargetPort: intstr.FromInt32(int32(c.cfg.APIPort)),
		}}},
	}
}

// dnsServiceObject reserves the DNS server's address and tells it to those who look it up. It has no selector: every
// node serves the address itself.
func (c *control) dnsServiceObject() client.Object {
	port := func(name string, p v1.Protocol) v1.ServicePort {
		return v1.ServicePort{Name: name, Port: 53, Protocol: p, TargetPort: intstr.FromInt32(53)}
	}
	return &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: dnsService.Namespace, Name: dnsService.Name, Labels: map[string]string{"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS", "kubernetes.io/cluster-service": "true"}},
		Spec:       v1.ServiceSpec{ClusterIP: c.cfg.dnsServiceIP().String(), Ports: []v1.ServicePort{port("dns", v1.ProtocolUDP), port("dns-tcp", v1.ProtocolTCP)}},
	}
}

func apiEndpoints(addr netip.AddrPort) client.Object {
	return &v1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelSkipMirror: "true"}},
		Subsets: []v1.EndpointSubset{{
			Addresses: []v1.EndpointAddress{{IP: addr.Addr().String()}},
			Ports:     []v1.EndpointPort{{Name: "https", Port: int32(addr.Port()), Protocol: v1.ProtocolTCP}},
		}},
	}
}

func apiSlice(addr netip.AddrPort) client.Object {
	name, port, tcp, yes := "https", int32(addr.Port()), v1.ProtocolTCP, true
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{addr.Addr().String()}, Conditions: discoveryv1.EndpointConditions{Ready: &yes}}},
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &tcp}},
	}
}

// ensureAll creates the objects that are absent, all at once.
func ensureAll(ctx context.Context, api client.Client, table string, objects ...client.Object) error {
	failed := make([]error, len(objects))
	var wg sync.WaitGroup
	view := api.View()
	for i, obj := range objects {
		if view.Get(client.RefOf(table, obj)) != nil {
			continue
		}
		wg.Go(func() {
			_, err := api.Create(ctx, client.RefOf(table, obj), "", obj, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				failed[i] = fmt.Errorf("create %s %s: %w", table, obj.GetName(), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// replace creates the object, or brings the stored one to it when they differ in what is ours.
func replace(ctx context.Context, api client.Client, table string, obj client.Object, same func(a, b client.Object) bool) error {
	ref := client.RefOf(table, obj)
	old := api.View().Get(ref)
	if old == nil {
		return ensureAll(ctx, api, table, obj)
	}
	if same(old, obj) {
		return nil
	}
	obj.SetResourceVersion(old.GetResourceVersion())
	_, err := api.Update(ctx, ref, "", obj, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("update %s %s: %w", table, obj.GetName(), err)
	}
	return nil
}

// roleWriter makes the writes that bring roles and bindings up to date.
type roleWriter struct{ api client.Client }

// Write implements auth.Writer.
func (w roleWriter) Write(ctx context.Context, c auth.Change) error {
	ref := client.RefOf(c.Table, c.Object)
	var err error
	switch c.Verb {
	case "update":
		_, err = w.api.Update(ctx, ref, "", c.Object, metav1.UpdateOptions{})
		return err
	case "replace":
		if err := w.api.Delete(ctx, ref, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	_, err = w.api.Create(ctx, ref, "", c.Object, metav1.CreateOptions{})
	return err
}
