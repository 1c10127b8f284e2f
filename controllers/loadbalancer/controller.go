// Package loadbalancer gives Services of type LoadBalancer the addresses of the nodes, and Ingresses that of the front door.
//
// It decides which nodes' addresses a Service gets, and which of two Services has a port that both want; it owns the load
// balancer status of Services without a class of their own and of the door's Ingresses; the controller host calls it. A port
// that is taken is said so in an event, and the Service waits until it is free. Packets are led by every node's packet rules.
package loadbalancer

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/networking"
	"proa/reconcile"
)

const (
	servicesTable = "services"
	nodesTable    = "nodes"
	slicesTable   = "endpointslices.discovery.k8s.io"
	ingressTable  = "ingresses.networking.k8s.io"
	classesTable  = "ingressclasses.networking.k8s.io"
)

// New makes the controller of Services. taken are ports of the nodes that serve the cluster itself, each with what it serves:
// a Service that had one would lead away what nodes and users send there.
func New(taken map[Port]string) reconcile.Controller {
	c := &controller{taken}
	return reconcile.Controller{
		Name:     "load-balancer",
		Identity: "system:serviceaccount:kube-system:service-controller",
		Reads: []reconcile.Read{
			{Table: servicesTable, Keys: keysOfService},
			{Table: nodesTable, Keys: keysOfNode},
			{Table: slicesTable, Keys: keysOfSlice},
			{Table: ingressTable, Keys: keysOfIngress},
			{Table: classesTable, Keys: func(view client.View, _ client.Event) []reconcile.Key { return all(view) }},
		},
		Writes:    []string{"services/status.loadBalancer"},
		Reconcile: c.run,
	}
}

type controller struct{ taken map[Port]string }

// Port is a port of a node.
type Port struct {
	Protocol corev1.Protocol
	Number   int32
}

func balanced(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil
}

// keysOfService: the ports that a Service gives up may be what others wait for.
func keysOfService(view client.View, event client.Event) []reconcile.Key {
	keys := reconcile.Self(view, event)
	s, _ := event.Object.(*corev1.Service)
	old, _ := event.Old.(*corev1.Service)
	if event.Type == client.Deleted && balanced(s) || old != nil && balanced(old) && !equality.Semantic.DeepEqual(old.Spec, s.Spec) {
		keys = append(keys, all(view)...)
	}
	return keys
}

// keysOfNode: nodes come, go, and become ready or not; what else they say every few seconds is no matter.
func keysOfNode(view client.View, event client.Event) []reconcile.Key {
	node, _ := event.Object.(*corev1.Node)
	old, _ := event.Old.(*corev1.Node)
	if event.Type == client.Updated && old != nil && slices.Equal(addressesOf(old), addressesOf(node)) {
		return nil
	}
	return all(view)
}

func keysOfSlice(_ client.View, event client.Event) []reconcile.Key {
	if name := event.Object.GetLabels()[discoveryv1.LabelServiceName]; name != "" {
		return []reconcile.Key{{Namespace: event.Object.GetNamespace(), Name: name}}
	}
	return nil
}

// keysOfIngress: the front door is there with the first Ingress, and gone with the last.
func keysOfIngress(view client.View, event client.Event) []reconcile.Key {
	if event.Type == client.Updated {
		return nil
	}
	return all(view)
}

func all(view client.View) []reconcile.Key {
	var keys []reconcile.Key
	for s := range client.List[*corev1.Service](view, servicesTable, "") {
		if balanced(s) {
			keys = append(keys, reconcile.KeyOf(s))
		}
	}
	return keys
}

// addressesOf are a node's own addresses, none while it cannot serve.
func addressesOf(node *corev1.Node) []string {
	if _, excluded := node.Labels[corev1.LabelNodeExcludeBalancers]; excluded || !ready(node) {
		return nil
	}
	var addresses []string
	for _, a := range node.Status.Addresses {
		if addr, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP && addr.Is4() {
			addresses = append(addresses, a.Address)
		}
	}
	return addresses
}

func ready(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func (c *controller) run(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	s, ok := client.Get[*corev1.Service](req.View, servicesTable, req.Namespace, req.Name)
	if !ok || s.DeletionTimestamp != nil || s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass != nil {
		return reconcile.Result{}, nil
	}
	var want corev1.LoadBalancerStatus
	if balanced(s) {
		if what, port := c.reserved(req.View, s); what != "" {
			req.Events.Eventf(s, corev1.EventTypeWarning, "PortTaken", "Port %s of the nodes serves %s: choose another port", port, what)
		} else if other, port := conflict(req.View, s); other != "" {
			req.Events.Eventf(s, corev1.EventTypeWarning, "PortTaken", "Port %s of the nodes is served by Service %s: choose another port, or delete that one", port, other)
		} else {
			want = status(req.View, s)
		}
	}
	if equality.Semantic.DeepEqual(want.Ingress, s.Status.LoadBalancer.Ingress) {
		return reconcile.Result{}, nil
	}
	next := s.DeepCopy()
	next.Status.LoadBalancer = want
	_, err := req.Client.Update(ctx, client.RefOf(servicesTable, next), "status", next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, nil
	}
	if err == nil && len(want.Ingress) > 0 && len(s.Status.LoadBalancer.Ingress) == 0 {
		req.Events.Eventf(s, corev1.EventTypeNormal, "EnsuredLoadBalancer", "Ensured load balancer")
	}
	return reconcile.Result{}, err
}

// status lists the addresses of the ready nodes: of those with a pod of the Service, if the client's address is to be kept.
func status(view client.View, s *corev1.Service) corev1.LoadBalancerStatus {
	local := s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
	has := map[string]bool{}
	if local {
		for slice := range client.List[*discoveryv1.EndpointSlice](view, slicesTable, s.Namespace) {
			for _, e := range slice.Endpoints {
				if slice.Labels[discoveryv1.LabelServiceName] == s.Name && e.NodeName != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
					has[*e.NodeName] = true
				}
			}
		}
	}
	var out corev1.LoadBalancerStatus
	for node := range client.List[*corev1.Node](view, nodesTable, "") {
		if local && !has[node.Name] {
			continue
		}
		for _, address := range addressesOf(node) {
			out.Ingress = append(out.Ingress, corev1.LoadBalancerIngress{IP: address, IPMode: new(corev1.LoadBalancerIPModeVIP)})
		}
	}
	return out
}

// reserved finds a port of the Service that serves the cluster itself, or the front door if that was there first.
func (c *controller) reserved(view client.View, s *corev1.Service) (what, port string) {
	for _, p := range s.Spec.Ports {
		what := c.taken[Port{p.Protocol, p.Port}]
		if what == "" && p.Protocol == corev1.ProtocolTCP && (p.Port == 80 || p.Port == 443) && doorBefore(view, s) {
			what = "the front door, where Ingresses are"
		}
		if what != "" {
			return what, fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		}
	}
	return "", ""
}

// doorBefore says whether the door serves an Ingress that is older than the Service.
func doorBefore(view client.View, s *corev1.Service) bool {
	for i := range client.List[*networkingv1.Ingress](view, ingressTable, "") {
		if i.CreationTimestamp.Before(&s.CreationTimestamp) && networking.Serves(i, classIn(view)) {
			return true
		}
	}
	return false
}

func classIn(view client.View) func(name string) *networkingv1.IngressClass {
	return func(name string) *networkingv1.IngressClass {
		c, _ := client.Get[*networkingv1.IngressClass](view, classesTable, "", name)
		return c
	}
}

// conflict finds a Service that has one of the ports already: an older one.
func conflict(view client.View, s *corev1.Service) (other, port string) {
	for o := range client.List[*corev1.Service](view, servicesTable, "") {
		if o.UID == s.UID || !balanced(o) || o.DeletionTimestamp != nil || !before(o, s) {
			continue
		}
		for _, p := range s.Spec.Ports {
			for _, taken := range o.Spec.Ports {
				if p.Port == taken.Port && p.Protocol == taken.Protocol {
					return o.Namespace + "/" + o.Name, fmt.Sprintf("%d/%s", p.Port, p.Protocol)
				}
			}
		}
	}
	return "", ""
}

func before(a, b *corev1.Service) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

// NewIngresses makes the controller of the door's Ingresses; address is where the door is.
func NewIngresses(address string) reconcile.Controller {
	return reconcile.Controller{
		Name:     "ingress",
		Identity: "system:serviceaccount:kube-system:edge-controller",
		Reads: []reconcile.Read{
			{Table: ingressTable, Keys: reconcile.Self},
			{Table: classesTable, Keys: func(view client.View, _ client.Event) []reconcile.Key {
				var keys []reconcile.Key
				for i := range client.List[*networkingv1.Ingress](view, ingressTable, "") {
					keys = append(keys, reconcile.KeyOf(i))
				}
				return keys
			}},
		},
		Writes: []string{ingressTable + "/status"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, runIngress(ctx, req, address)
		},
	}
}

func runIngress(ctx context.Context, req reconcile.Request, address string) error {
	i, ok := client.Get[*networkingv1.Ingress](req.View, ingressTable, req.Namespace, req.Name)
	if !ok || i.DeletionTimestamp != nil || !networking.Serves(i, classIn(req.View)) {
		return nil
	}
	want := []networkingv1.IngressLoadBalancerIngress{{IP: address}}
	if equality.Semantic.DeepEqual(i.Status.LoadBalancer.Ingress, want) {
		return nil
	}
	next := i.DeepCopy()
	next.Status.LoadBalancer.Ingress = want
	_, err := req.Client.Update(ctx, client.RefOf(ingressTable, next), "status", next, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
