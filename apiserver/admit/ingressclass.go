package admit

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"

	"proa/kinds/networking"
)

// defaultIngressClass gives ingresses that name no class the cluster's.
func defaultIngressClass(_ context.Context, a *Attributes) error {
	ingress, ok := a.Object.(*networkingv1.Ingress)
	if !ok || a.Operation != Create || a.Subresource != "" || ingress.Spec.IngressClassName != nil {
		return nil
	}
	if _, annotated := ingress.Annotations[networking.ClassAnnotation]; annotated {
		return nil
	}
	if class := networking.DefaultClass(all[*networkingv1.IngressClass](a, "ingressclasses.networking.k8s.io", "")); class != nil {
		ingress.Spec.IngressClassName = &class.Name
	}
	return nil
}
