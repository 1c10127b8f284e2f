package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// MutatingWebhookConfiguration is the row of mutatingwebhookconfigurations.
func MutatingWebhookConfiguration() *resource.Resource {
	row := webhookRow("mutatingwebhookconfigurations", "MutatingWebhookConfiguration")
	row.New = func() resource.Object { return &admissionv1.MutatingWebhookConfiguration{} }
	row.NewList = func() runtime.Object { return &admissionv1.MutatingWebhookConfigurationList{} }
	row.Default = resource.Do(func(c *admissionv1.MutatingWebhookConfiguration) {
		for i := range c.Webhooks {
			defaultWebhook(&c.Webhooks[i])
			fill(&c.Webhooks[i].ReinvocationPolicy, admissionv1.NeverReinvocationPolicy)
		}
	})
	return row
}
