package admit

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// denyExternalIPs refuses services that add external IPs: whoever may create a service could take over any address.
func denyExternalIPs(allowed bool) func(context.Context, *Attributes) error {
	if allowed {
		return nil
	}
	return func(_ context.Context, a *Attributes) error {
		if !a.Is("services") {
			return nil
		}
		service, ok := a.Object.(*corev1.Service)
		if !ok {
			return nil
		}
		var before []string
		if old, ok := a.Old.(*corev1.Service); ok {
			before = old.Spec.ExternalIPs
		}
		for _, ip := range service.Spec.ExternalIPs {
			if !slices.Contains(before, ip) {
				return Forbidden(a, errors.New("Use of external IPs is denied by admission control")) //nolint:staticcheck // upstream's text
			}
		}
		return nil
	}
}
