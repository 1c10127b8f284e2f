package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// ValidatingWebhookConfiguration is the row of validatingwebhookconfigurations.
func ValidatingWebhookConfiguration() *resource.Resource {
	row := webhookRow("validatingwebhookconfigurations", "ValidatingWebhookConfiguration")
	row.New = func() resource.Object { return &admissionv1.ValidatingWebhookConfiguration{} }
	row.NewList = func() runtime.Object { return &admissionv1.ValidatingWebhookConfigurationList{} }
	row.Default = resource.Do(func(c *admissionv1.ValidatingWebhookConfiguration) {
		for i := range c.Webhooks {
			w := alike(&c.Webhooks[i])
			defaultWebhook(&w)
			c.Webhooks[i].FailurePolicy, c.Webhooks[i].MatchPolicy, c.Webhooks[i].TimeoutSeconds = w.FailurePolicy, w.MatchPolicy, w.TimeoutSeconds
			c.Webhooks[i].NamespaceSelector, c.Webhooks[i].ObjectSelector = w.NamespaceSelector, w.ObjectSelector
		}
	})
	return row
}
