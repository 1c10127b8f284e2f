package admissionregistration

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Defaults that several kinds share.
const (
	defaultTimeout = 10 // seconds
	defaultPort    = 443
)

// fill sets a field that was left out.
func fill[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func defaultWebhook(w *admissionv1.MutatingWebhook) {
	fill(&w.FailurePolicy, admissionv1.Fail)
	fill(&w.MatchPolicy, admissionv1.Equivalent)
	fill(&w.NamespaceSelector, metav1.LabelSelector{})
	fill(&w.ObjectSelector, metav1.LabelSelector{})
	fill(&w.TimeoutSeconds, defaultTimeout)
	if w.ClientConfig.Service != nil {
		fill(&w.ClientConfig.Service.Port, defaultPort)
	}
	for i := range w.Rules {
		fill(&w.Rules[i].Scope, admissionv1.AllScopes)
	}
}

func defaultMatch(m *admissionv1.MatchResources) {
	if m == nil {
		return
	}
	fill(&m.MatchPolicy, admissionv1.Equivalent)
	fill(&m.NamespaceSelector, metav1.LabelSelector{})
	fill(&m.ObjectSelector, metav1.LabelSelector{})
	for _, rules := range [][]admissionv1.NamedRuleWithOperations{m.ResourceRules, m.ExcludeResourceRules} {
		for i := range rules {
			fill(&rules[i].Scope, admissionv1.AllScopes)
		}
	}
}
