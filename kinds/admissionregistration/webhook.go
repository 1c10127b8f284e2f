package admissionregistration

import (
	"fmt"
	"reflect"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Tables that the store keeps the configurations of webhooks in.
const (
	MutatingWebhooksTable   = "mutatingwebhookconfigurations." + admissionv1.GroupName
	ValidatingWebhooksTable = "validatingwebhookconfigurations." + admissionv1.GroupName
)

// Webhooks lists the webhooks of a configuration of either kind. A validating one is shown as a mutating one that is never
// called again.
func Webhooks(configuration resource.Object) []admissionv1.MutatingWebhook {
	switch c := configuration.(type) {
	case *admissionv1.MutatingWebhookConfiguration:
		return c.Webhooks
	case *admissionv1.ValidatingWebhookConfiguration:
		if c.Webhooks == nil {
			return nil // a new generation tells it from none
		}
		webhooks := make([]admissionv1.MutatingWebhook, len(c.Webhooks))
		for i := range c.Webhooks {
			webhooks[i] = alike(&c.Webhooks[i])
		}
		return webhooks
	}
	return nil
}

func alike(w *admissionv1.ValidatingWebhook) admissionv1.MutatingWebhook {
	return admissionv1.MutatingWebhook{
		Name: w.Name, ClientConfig: w.ClientConfig, Rules: w.Rules, FailurePolicy: w.FailurePolicy, MatchPolicy: w.MatchPolicy,
		NamespaceSelector: w.NamespaceSelector, ObjectSelector: w.ObjectSelector, SideEffects: w.SideEffects,
		TimeoutSeconds: w.TimeoutSeconds, AdmissionReviewVersions: w.AdmissionReviewVersions, MatchConditions: w.MatchConditions,
	}
}

// webhookRow is what the rows of both configurations have in common.
func webhookRow(name, kind string) *resource.Resource {
	return &resource.Resource{
		Group: admissionv1.GroupName, Version: "v1", Name: name, Singular: name[:len(name)-1], Kind: kind, Categories: []string{"api-extensions"},
		AnyFinalizer:  true,
		PrepareCreate: func(obj resource.Object) { obj.SetGeneration(1) },
		PrepareUpdate: func(obj, old resource.Object) {
			meta.CountGeneration(obj, old, !reflect.DeepEqual(Webhooks(obj), Webhooks(old)))
		},
		Validate: func(obj resource.Object) field.ErrorList { return validateWebhooks(Webhooks(obj), newRules()) },
		ValidateUpdate: func(obj, old resource.Object) field.ErrorList {
			return validateWebhooks(Webhooks(obj), rulesAfter(Webhooks(obj), Webhooks(old)))
		},
		Warnings: warnOfSuffix,
		Columns: []resource.Column{
			meta.Name(),
			meta.Number("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration"),
			meta.Age(),
		},
		Row: func(obj resource.Object) []any {
			return []any{obj.GetName(), int64(len(Webhooks(obj))), meta.Since(obj.GetCreationTimestamp())}
		},
	}
}

// reservedSuffix ends the names of configurations that come from files.
const reservedSuffix = ".static.k8s.io"

func warnOfSuffix(obj, _ resource.Object) []string {
	name := obj.GetName()
	if len(name) < len(reservedSuffix) || name[len(name)-len(reservedSuffix):] != reservedSuffix {
		return nil
	}
	return []string{fmt.Sprintf("metadata.name: names ending with %q are reserved for static manifest-based configurations and cannot be managed via the API", reservedSuffix)}
}
