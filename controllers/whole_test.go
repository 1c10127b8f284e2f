package controllers_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"proa/apiserver"
	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/client"
	"proa/controllers"
	"proa/kinds"
	"proa/reconcile"
	"proa/store"
	"proa/store/storetest"
)

// cluster is the real API server with its roles, over a store in memory, all controllers as their own users, and a node
// agent that says that everything runs.
type cluster struct {
	t     *testing.T
	kinds *kinds.Table
	store store.Store
	admin client.Client
	roles auth.Authorizer

	mu      sync.Mutex
	refused []error
}

// newCluster takes the admission of the cluster, which is none if nothing is said.
func newCluster(t *testing.T, steps ...func(*cluster) []admit.Step) *cluster {
	table := kinds.Builtin()
	c := &cluster{t: t, kinds: table, store: storetest.New(t, encode.Decoder(table))}
	access := auth.NewAccess(c.store)
	c.roles = access
	config := apiserver.Config{Store: c.store, Kinds: table, Scheme: kinds.NewScheme(), Authenticator: auth.First(), Authorizer: access}
	for _, of := range steps {
		config.Admission = of(c)
	}
	server, err := apiserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	as := func(name string) client.Client {
		if name == "system:apiserver" {
			return server.Local(auth.User{Name: name, Groups: []string{"system:masters", "system:authenticated"}})
		}
		return server.Local(auth.User{Name: name, Groups: []string{"system:authenticated", "system:serviceaccounts"}})
	}
	c.admin = server.Local(auth.User{Name: "admin", Groups: []string{"system:masters", "system:authenticated"}})
	c.create("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}})
	c.create("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-public"}})
	if err := auth.Bootstrap(t.Context(), c.store, roleWriter{c.admin}); err != nil {
		t.Fatal(err)
	}
	host, err := reconcile.New(reconcile.Config{Client: as, Kinds: table, Resync: -1, Observe: c.observe},
		controllers.All(controllers.Config{Kinds: table, RootCA: []byte("PEM"), Usage: noUsage{}, Edge: "192.0.2.1"})...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = host.Run(ctx) })
	done.Go(func() { c.agent(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return c
}

// observe keeps what a controller was not allowed to do or got wrong: conflicts and races with deletions are neither.
func (c *cluster) observe(o reconcile.Observation) {
	if o.Err == nil || apierrors.IsConflict(o.Err) || apierrors.IsNotFound(o.Err) || apierrors.IsAlreadyExists(o.Err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = append(c.refused, o.Err)
}

type roleWriter struct{ api client.Client }

func (w roleWriter) Write(ctx context.Context, c auth.Change) error {
	_, err := w.api.Create(ctx, client.RefOf(c.Table, c.Object), "", c.Object, metav1.CreateOptions{})
	return err
}

func (c *cluster) create(table string, obj client.Object) client.Object {
	c.t.Helper()
	out, err := c.admin.Create(c.t.Context(), client.RefOf(table, obj), "", obj, metav1.CreateOptions{})
	if err != nil {
		c.t.Fatalf("create %s %s: %v", table, obj.GetName(), err)
	}
	return out
}

func (c *cluster) update(table, namespace, name string, change func(client.Object)) {
	c.t.Helper()
	for {
		obj := c.admin.View().Get(client.Ref{Table: table, Namespace: namespace, Name: name}).DeepCopyObject().(client.Object)
		change(obj)
		_, err := c.admin.Update(c.t.Context(), client.RefOf(table, obj), "", obj, metav1.UpdateOptions{})
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			c.t.Fatalf("update %s %s: %v", table, name, err)
		}
	}
}

func (c *cluster) delete(table, namespace, name string, policy metav1.DeletionPropagation) {
	c.t.Helper()
	err := c.admin.Delete(c.t.Context(), client.Ref{Table: table, Namespace: namespace, Name: name}, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil {
		c.t.Fatalf("delete %s %s: %v", table, name, err)
	}
}

// agent is a node's: it runs what it is given and lets go what is deleted.
func (c *cluster) agent(ctx context.Context) {
	view := c.admin.View()
	watcher, err := c.admin.Watch("pods", view)
	if err != nil {
		c.t.Error(err)
		return
	}
	for {
		events, err := watcher.Next(ctx)
		if err != nil {
			return
		}
		for _, event := range events {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != client.Deleted {
				c.tend(ctx, pod)
			}
		}
	}
}

func (c *cluster) tend(ctx context.Context, pod *corev1.Pod) {
	ref := client.RefOf("pods", pod)
	switch {
	case pod.DeletionTimestamp != nil:
		_ = c.admin.Delete(ctx, ref, *metav1.NewDeleteOptions(0))
	case pod.Spec.NodeName == "":
		_, _ = c.admin.Create(ctx, ref, "binding", &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node-1"},
		}, metav1.CreateOptions{})
	case pod.Status.Phase != corev1.PodRunning:
		next := pod.DeepCopy()
		next.Status.Phase = corev1.PodRunning
		next.Status.PodIP = "10.1.2.3"
		next.Status.PodIPs = []corev1.PodIP{{IP: "10.1.2.3"}}
		next.Status.Conditions = append(next.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
		})
		_, _ = c.admin.Update(ctx, ref, "status", next, metav1.UpdateOptions{})
	}
}

// wait returns when a condition holds, which is looked at after every commit.
func (c *cluster) wait(what string, holds func(client.View) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	for {
		view := c.admin.View()
		if holds(view) {
			return
		}
		if err := c.store.WaitFor(ctx, store.Revision(view.Revision()+1)); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, table := range []string{"deployments.apps", "replicasets.apps", "pods"} {
				for obj := range view.List(table, "") {
					c.t.Logf("%s %s generation %d: %+v", table, obj.GetName(), obj.GetGeneration(), obj)
				}
			}
			c.t.Fatalf("waiting for %s: %v; refused: %v", what, err, c.refused)
		}
	}
}

func complete(view client.View, generation int64) bool {
	d, ok := client.Get[*appsv1.Deployment](view, "deployments.apps", "shop", "web")
	return ok && d.Status.ObservedGeneration >= generation && d.Status.UpdatedReplicas == 3 && d.Status.Replicas == 3 &&
		d.Status.AvailableReplicas == 3
}

func count(view client.View, table, namespace string) (n int) {
	for range view.List(table, namespace) {
		n++
	}
	return n
}

// An application's life on the real API, with the roles that controllers have.
func TestControllersOnTheRealAPI(t *testing.T) {
	c := newCluster(t)
	c.create("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	c.create("nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
	c.wait("the namespace's account and certificate", func(view client.View) bool {
		return count(view, "serviceaccounts", "shop") == 1 && count(view, "configmaps", "shop") == 1
	})

	replicas := int32(3)
	labels := map[string]string{"app": "web"}
	c.create("services", &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, ClusterIPs: []string{corev1.ClusterIPNone}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}},
		},
	})
	c.create("deployments.apps", &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
			},
		},
	})
	c.wait("the deployment", func(view client.View) bool { return complete(view, 1) })
	c.wait("the endpoints", func(view client.View) bool {
		for slice := range client.List[*discoveryv1.EndpointSlice](view, "endpointslices.discovery.k8s.io", "shop") {
			return len(slice.Endpoints) == 3
		}
		return false
	})

	c.update("deployments.apps", "shop", "web", func(obj client.Object) {
		obj.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "web:2"
	})
	c.wait("the rollout", func(view client.View) bool { return complete(view, 2) })
	d, _ := client.Get[*appsv1.Deployment](c.admin.View(), "deployments.apps", "shop", "web")
	if got := d.Annotations["deployment.kubernetes.io/revision"]; got != "2" {
		t.Errorf("revision is %q, want 2", got)
	}
	c.wait("events", func(view client.View) bool { return count(view, "events", "shop") > 0 })

	c.delete("deployments.apps", "shop", "web", metav1.DeletePropagationOrphan)
	c.wait("the deployment to go and leave its replica sets", func(view client.View) bool {
		for rs := range view.List("replicasets.apps", "shop") {
			if len(rs.GetOwnerReferences()) > 0 {
				return false
			}
		}
		return count(view, "deployments.apps", "shop") == 0 && count(view, "replicasets.apps", "shop") == 2
	})
	for rs := range c.admin.View().List("replicasets.apps", "shop") {
		c.delete("replicasets.apps", "shop", rs.GetName(), metav1.DeletePropagationForeground)
	}
	c.wait("its pods to go", func(view client.View) bool {
		return count(view, "pods", "shop") == 0 && count(view, "replicasets.apps", "shop") == 0
	})

	c.create("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "store"}})
	c.delete("namespaces", "", "store", metav1.DeletePropagationOrphan)
	c.delete("namespaces", "", "shop", metav1.DeletePropagationForeground)
	c.wait("the namespaces to go", func(view client.View) bool {
		return view.Get(client.Ref{Table: "namespaces", Name: "shop"}) == nil && view.Get(client.Ref{Table: "namespaces", Name: "store"}) == nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.refused {
		t.Errorf("a controller met: %v", err)
	}
}

// The roles that a cluster starts with allow what controllers do only when something is wrong, too.
func TestRolesAllowWhatControllersDo(t *testing.T) {
	c := newCluster(t)
	for _, do := range []struct{ account, verbs, group, resource, sub string }{
		{"node-controller", "update", "", "nodes", ""},
		{"node-controller", "update", "", "nodes", "status"},
		{"node-controller", "update patch", "", "pods", "status"},
		{"node-controller", "delete", "", "pods", ""},
		{"node-controller", "create patch", "", "events", ""},
		{"pod-garbage-collector", "get", "", "nodes", ""},
		{"pod-garbage-collector", "delete", "", "pods", ""},
		{"pod-garbage-collector", "patch", "", "pods", "status"},
		{"generic-garbage-collector", "get patch delete", "apps", "replicasets", ""},
		{"generic-garbage-collector", "create patch", "", "events", ""},
		{"namespace-controller", "update", "", "namespaces", "status"},
		{"namespace-controller", "update", "", "namespaces", "finalize"},
		{"namespace-controller", "delete", "rbac.authorization.k8s.io", "roles", ""},
		{"root-ca-cert-publisher", "create update", "", "configmaps", ""},
		{"service-account-controller", "create", "", "serviceaccounts", ""},
		{"endpoint-controller", "create update delete", "", "endpoints", ""},
		{"endpointslice-controller", "create update delete", "discovery.k8s.io", "endpointslices", ""},
		{"replicaset-controller", "create delete patch", "", "pods", ""},
		{"replicaset-controller", "get", "apps", "replicasets", ""},
		{"replicaset-controller", "update", "apps", "replicasets", "status"},
		{"deployment-controller", "get", "apps", "deployments", ""},
		{"deployment-controller", "update", "apps", "deployments", "status"},
		{"deployment-controller", "create update patch delete", "apps", "replicasets", ""},
	} {
		for verb := range strings.FieldsSeq(do.verbs) {
			allowed, reason, err := c.roles.Authorize(t.Context(), auth.Attributes{
				User: auth.User{Name: "system:serviceaccount:kube-system:" + do.account, Groups: []string{"system:authenticated"}},
				Verb: verb, APIGroup: do.group, Resource: do.resource, Subresource: do.sub, Namespace: "shop", Name: "x", IsResourceRequest: true,
			})
			if !allowed || err != nil {
				t.Errorf("%s may not %s %s/%s: %s %v", do.account, verb, do.resource, do.sub, reason, err)
			}
		}
	}
}
