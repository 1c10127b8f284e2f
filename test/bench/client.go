package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// client is client-go's REST client for the core group, protobuf both ways, without a limit of its own, for what is set up and
// looked at. The API load goes over connections of wire: see caller.
type client struct {
	rest   *rest.RESTClient
	config *rest.Config
}

func newClient(kubeconfig string) (*client, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make scheme: %w", err)
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	cfg.APIPath, cfg.GroupVersion = "/api", &corev1.SchemeGroupVersion
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf
	cfg.QPS = -1
	c, err := rest.RESTClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &client{rest: c, config: cfg}, nil
}

// target is a collection in a namespace; cluster-wide kinds have none.
type target struct{ resource, namespace string }

func (c *client) create(ctx context.Context, t target, obj, into runtime.Object) error {
	return c.rest.Post().NamespaceIfScoped(t.namespace, t.namespace != "").Resource(t.resource).Body(obj).Do(ctx).Into(into)
}

func (c *client) get(ctx context.Context, t target, name string, into runtime.Object) error {
	return c.rest.Get().NamespaceIfScoped(t.namespace, t.namespace != "").Resource(t.resource).Name(name).Do(ctx).Into(into)
}

func (c *client) list(ctx context.Context, t target, selector string, into runtime.Object) error {
	return c.rest.Get().NamespaceIfScoped(t.namespace, t.namespace != "").Resource(t.resource).
		Param("labelSelector", selector).Do(ctx).Into(into)
}

func (c *client) watch(ctx context.Context, t target, since string) (watch.Interface, error) {
	return c.rest.Get().NamespaceIfScoped(t.namespace, t.namespace != "").Resource(t.resource).
		Param("watch", "true").Param("resourceVersion", since).Watch(ctx)
}

func (c *client) remove(ctx context.Context, t target, name string) error {
	return c.rest.Delete().NamespaceIfScoped(t.namespace, t.namespace != "").Resource(t.resource).Name(name).Do(ctx).Error()
}

// removeAll deletes a collection with some seconds of grace. Where no node agent runs they must be none: nobody else would
// end the wait.
func (c *client) removeAll(ctx context.Context, t target, grace int64) error {
	return c.rest.Delete().Namespace(t.namespace).Resource(t.resource).
		Body(&metav1.DeleteOptions{GracePeriodSeconds: &grace}).Do(ctx).Error()
}

// namespace makes a namespace and the service account that pods need, where no controller does.
func (c *client) namespace(ctx context.Context, name string) error {
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := c.create(ctx, target{"namespaces", ""}, made, &corev1.Namespace{}); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	accounts := target{"serviceaccounts", name}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if err := c.create(ctx, accounts, account, &corev1.ServiceAccount{}); err != nil {
		// A controller may have been first.
		if err := c.get(ctx, accounts, "default", &corev1.ServiceAccount{}); err != nil {
			return fmt.Errorf("create service account: %w", err)
		}
	}
	return nil
}
