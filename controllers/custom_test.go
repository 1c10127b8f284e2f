package controllers_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/custom"
	"proa/apiserver/encode"
	"proa/client"
	"proa/kinds/apiextensions"
)

const widgets = "widgets.example.com"

// renameCount converts widgets: what v1 calls spec.count is spec.size in v2.
func renameCount(_ context.Context, _ *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error) {
	var review map[string]any
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	request := review["request"].(map[string]any)
	objects := request["objects"].([]any)
	names := map[any][2]string{"example.com/v1": {"size", "count"}, "example.com/v2": {"count", "size"}}[request["desiredAPIVersion"]]
	for _, o := range objects {
		obj := o.(map[string]any)
		obj["apiVersion"] = request["desiredAPIVersion"]
		spec := obj["spec"].(map[string]any)
		spec[names[1]] = spec[names[0]]
		delete(spec, names[0])
	}
	review["response"] = map[string]any{"uid": request["uid"], "convertedObjects": objects, "result": map[string]any{"status": "Success"}}
	return json.Marshal(review)
}

// widgetDefinition is stored as v1 and scaled as v2.
func widgetDefinition() *apiextensionsv1.CustomResourceDefinition {
	url := "https://convert.example/"
	schema := &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: new(true)}}
	return &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: widgets}, Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Group: "example.com", Scope: apiextensionsv1.NamespaceScoped, Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget", ListKind: "WidgetList"},
		Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter, Webhook: &apiextensionsv1.WebhookConversion{
			ConversionReviewVersions: []string{"v1"}, ClientConfig: &apiextensionsv1.WebhookClientConfig{URL: &url}}},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{
			{Name: "v1", Served: true, Storage: true, Schema: schema},
			{Name: "v2", Served: true, Schema: schema, Subresources: &apiextensionsv1.CustomResourceSubresources{Scale: &apiextensionsv1.CustomResourceSubresourceScale{
				SpecReplicasPath: ".spec.size", StatusReplicasPath: ".status.size", LabelSelectorPath: new(".status.selector")}}},
		},
	}}
}

func widget(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"namespace": "shop", "name": name},
		"spec": map[string]any{"count": int64(1)}, "status": map[string]any{"size": int64(1), "selector": "app=" + name}}}
}

// Objects of kinds that users define are counted, scaled, collected and deleted like others, whichever version they are kept in.
func TestCustomKinds(t *testing.T) {
	c := newCluster(t, func(c *cluster) []admit.Step {
		steps, err := admit.Steps(admit.Config{Kind: c.kinds.ByKind, Authorizer: auth.NewAccess(c.store), Encode: encode.ToStore, ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/24")}})
		if err != nil {
			t.Fatal(err)
		}
		return steps
	})
	made, err := custom.New(custom.Config{Store: c.store, Kinds: c.kinds, Call: renameCount})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- made.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c.create("namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	c.create(apiextensions.Table, widgetDefinition())
	c.wait("definition in use", func(v client.View) bool {
		d, ok := client.Get[*apiextensionsv1.CustomResourceDefinition](v, apiextensions.Table, "", widgets)
		return ok && apiextensions.Is(d, apiextensionsv1.Established)
	})
	c.create("resourcequotas", &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "few"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/" + widgets: resource.MustParse("2")}}})
	used := func(n string) {
		c.wait("quota used "+n, func(v client.View) bool {
			q, ok := client.Get[*corev1.ResourceQuota](v, "resourcequotas", "shop", "few")
			have, counted := q.Status.Used["count/"+widgets]
			return ok && counted && have.String() == n
		})
	}
	used("0")
	one := c.create(widgets, widget("one"))
	c.create(widgets, widget("two"))
	used("2")
	three := widget("three")
	_, err = c.admin.Create(t.Context(), client.RefOf(widgets, three), "", three, metav1.CreateOptions{})
	if want := "exceeded quota: few, requested: count/widgets.example.com=1, used: count/widgets.example.com=2, limited: count/widgets.example.com=2"; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("the third widget: %v", err)
	}

	c.create("horizontalpodautoscalers.autoscaling", &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "one"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(3)), MaxReplicas: 5, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "example.com/v2", Kind: "Widget", Name: "one"}}})
	c.wait("widget scaled", func(v client.View) bool {
		stored, ok := client.Get[*unstructured.Unstructured](v, widgets, "shop", "one")
		n, _, _ := unstructured.NestedInt64(stored.Object, "spec", "count")
		return ok && stored.GetAPIVersion() == "example.com/v1" && n == 3
	})

	c.create("configmaps", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "of-one",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "example.com/v2", Kind: "Widget", Name: "one", UID: one.GetUID()}}}})
	c.delete(widgets, "shop", "one", metav1.DeletePropagationBackground)
	c.wait("dependent gone", func(v client.View) bool {
		return v.Get(client.Ref{Table: "configmaps", Namespace: "shop", Name: "of-one"}) == nil
	})
	used("1")
	c.delete("namespaces", "", "shop", metav1.DeletePropagationBackground)
	c.wait("namespace gone", func(v client.View) bool {
		return v.Get(client.Ref{Table: "namespaces", Name: "shop"}) == nil && count(v, widgets, "shop") == 0
	})
}
