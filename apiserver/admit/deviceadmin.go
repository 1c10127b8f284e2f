package admit

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/resource"
)

// checkDeviceAdmin lets claims have devices that others use, to watch over them, only where the namespace is marked for it
// (KEP-5018): who may write claims anywhere else is no administrator of devices.
func checkDeviceAdmin(_ context.Context, a *Attributes) error {
	path := deviceAdminOf(a)
	if path == nil {
		return nil
	}
	namespace, ok := lookup[*corev1.Namespace](a, "namespaces", "", a.Namespace)
	if ok && namespace.Labels[resourcev1.DRAAdminNamespaceLabelKey] == "true" {
		return nil
	}
	return apierrors.NewInvalid(a.Resource.GroupVersionKind().GroupKind(), a.Name, field.ErrorList{field.Forbidden(path, fmt.Sprintf(
		"admin access to devices requires the `%s: true` label on the containing namespace", resourcev1.DRAAdminNamespaceLabelKey))})
}

// deviceAdminOf finds where a write asks for such access; nil if it does not. A spec does not change, nor does what was granted.
func deviceAdminOf(a *Attributes) *field.Path {
	spec := field.NewPath("spec", "devices", "requests")
	switch object := a.Object.(type) {
	case *resourcev1.ResourceClaimTemplate:
		if a.Operation == Create {
			return requestedAdmin(spec, object.Spec.Spec.Devices.Requests)
		}
	case *resourcev1.ResourceClaim:
		switch {
		case a.Operation == Create:
			return requestedAdmin(spec, object.Spec.Devices.Requests)
		case a.Operation == Update && a.Subresource == "status" && grantedAdmin(a.Old) == nil:
			return grantedAdmin(object)
		}
	}
	return nil
}

func requestedAdmin(path *field.Path, requests []resourcev1.DeviceRequest) *field.Path {
	for i := range requests {
		if exactly := requests[i].Exactly; exactly != nil && exactly.AdminAccess != nil && *exactly.AdminAccess {
			return path.Index(i).Child("adminAccess")
		}
	}
	return nil
}

func grantedAdmin(obj resource.Object) *field.Path {
	claim, ok := obj.(*resourcev1.ResourceClaim)
	if !ok || claim.Status.Allocation == nil {
		return nil
	}
	for i, result := range claim.Status.Allocation.Devices.Results {
		if result.AdminAccess != nil && *result.AdminAccess {
			return field.NewPath("status", "allocation", "devices", "results").Index(i).Child("adminAccess")
		}
	}
	return nil
}
