package meta

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// RoundUp brings quantities to thousandths, the finest that the API keeps.
func RoundUp(list corev1.ResourceList) {
	for name, quantity := range list {
		quantity = quantity.DeepCopy()
		quantity.RoundUp(resource.Milli)
		list[name] = quantity
	}
}

// BasicQuantity wants an amount that is not negative, in the words that volumes have for it.
func BasicQuantity(path *field.Path, value resource.Quantity) field.ErrorList {
	if value.Value() < 0 {
		return field.ErrorList{field.Invalid(path, value.Value(), "must be a valid resource quantity")}
	}
	return nil
}

// Quantity wants an amount that is not negative, and whole for what is counted in pieces.
func Quantity(path *field.Path, name corev1.ResourceName, value resource.Quantity) field.ErrorList {
	var errs field.ErrorList
	if value.Sign() < 0 {
		errs = append(errs, field.Invalid(path, value.String(), validation.IsNegativeErrorMsg))
	}
	if IsCounted(name) && value.MilliValue()%1000 != 0 {
		errs = append(errs, field.Invalid(path, value, "must be an integer"))
	}
	return errs
}

// ResourceName wants a resource that the system knows, or one with a domain.
func ResourceName(path *field.Path, name corev1.ResourceName) field.ErrorList {
	if errs := Each(path, name, utilvalidation.IsQualifiedName(string(name))); len(errs) > 0 {
		return errs
	}
	if !strings.Contains(string(name), "/") && !isStandardResource(name) {
		return field.ErrorList{field.Invalid(path, name, "must be a standard resource type or fully qualified")}
	}
	return nil
}

// ContainerResourceName wants a resource that a container can ask for.
func ContainerResourceName(path *field.Path, name corev1.ResourceName) field.ErrorList {
	errs := ResourceName(path, name)
	switch {
	case !strings.Contains(string(name), "/"):
		if !isContainerResource(name) {
			errs = append(errs, field.Invalid(path, name, "must be a standard resource for containers"))
		}
	case !IsNative(name) && !IsExtended(name):
		errs = append(errs, field.Invalid(path, name, "doesn't follow extended resource name standard"))
	}
	return errs
}

// IsNative says whether the system itself gives the resource its meaning.
func IsNative(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") || strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// IsExtended says whether the resource is one that a node advertises under a domain of somebody else.
func IsExtended(name corev1.ResourceName) bool {
	return !IsNative(name) && !strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(utilvalidation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}

// IsHugePages says whether the resource is memory in huge pages.
func IsHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// MayOvercommit says whether a limit may be above the request.
func MayOvercommit(name corev1.ResourceName) bool { return IsNative(name) && !IsHugePages(name) }

// IsCounted says whether the resource comes in whole pieces.
func IsCounted(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourcePods, corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers,
		corev1.ResourceSecrets, corev1.ResourceConfigMaps, corev1.ResourcePersistentVolumeClaims,
		corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers:
		return true
	}
	return IsExtended(name)
}

func isContainerResource(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return true
	}
	return IsHugePages(name)
}

func isStandardResource(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceStorage, corev1.ResourceRequestsStorage,
		corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsEphemeralStorage,
		corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage:
		return true
	}
	return isContainerResource(name) || strings.HasPrefix(string(name), corev1.ResourceRequestsHugePagesPrefix) ||
		IsCounted(name) && IsNative(name)
}

// Sorted gives the keys of a map in order, so that errors and columns come out the same each time.
func Sorted[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
