package core

import (
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// Endpoints is the row of endpoints.
func Endpoints() *resource.Resource {
	return &resource.Resource{
		Version: "v1", Name: "endpoints", Singular: "endpoints", Kind: "Endpoints", ShortNames: []string{"ep"},
		Namespaced:               true,
		New:                      func() resource.Object { return &corev1.Endpoints{} },
		NewList:                  func() runtime.Object { return &corev1.EndpointsList{} },
		Default:                  resource.Do(defaultEndpoints),
		Validate:                 resource.Typed(func(endpoints *corev1.Endpoints) field.ErrorList { return validateEndpoints(endpoints, nil) }),
		ValidateUpdate:           resource.Typed2(validateEndpoints),
		NameLast:                 true,
		Warnings:                 func(obj, _ resource.Object) []string { return endpointsWarnings(obj.(*corev1.Endpoints)) },
		Deprecated:               "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: true,
		Columns:                  []resource.Column{meta.Name(), meta.Column("Endpoints", corev1.Endpoints{}.SwaggerDoc()["subsets"]), meta.Age()},
		Row: resource.Typed(func(endpoints *corev1.Endpoints) []any {
			return []any{endpoints.Name, endpointsCell(endpoints), meta.Since(endpoints.CreationTimestamp)}
		}),
	}
}

func defaultEndpoints(endpoints *corev1.Endpoints) {
	for i := range endpoints.Subsets {
		for j := range endpoints.Subsets[i].Ports {
			if port := &endpoints.Subsets[i].Ports[j]; port.Protocol == "" {
				port.Protocol = corev1.ProtocolTCP
			}
		}
	}
}

// validateEndpoints lets pass what was stored before, unchanged, whatever its faults.
func validateEndpoints(endpoints, old *corev1.Endpoints) field.ErrorList {
	var errs field.ErrorList
	for i := range endpoints.Subsets {
		errs = append(errs, validateSubset(field.NewPath("subsets").Index(i), &endpoints.Subsets[i])...)
	}
	if len(errs) > 0 && old != nil && equality.Semantic.DeepEqual(endpoints.Subsets, old.Subsets) {
		return nil
	}
	return errs
}

func validateSubset(path *field.Path, subset *corev1.EndpointSubset) field.ErrorList {
	var errs field.ErrorList
	if len(subset.Addresses) == 0 && len(subset.NotReadyAddresses) == 0 {
		errs = append(errs, field.Required(path, "must specify `addresses` or `notReadyAddresses`"))
	}
	for i := range subset.Addresses {
		errs = append(errs, validateEndpointAddress(path.Child("addresses").Index(i), &subset.Addresses[i])...)
	}
	for i := range subset.NotReadyAddresses {
		errs = append(errs, validateEndpointAddress(path.Child("notReadyAddresses").Index(i), &subset.NotReadyAddresses[i])...)
	}
	for i := range subset.Ports {
		errs = append(errs, validateEndpointPort(path.Child("ports").Index(i), &subset.Ports[i], len(subset.Ports) > 1)...)
	}
	return errs
}

func validateEndpointAddress(path *field.Path, address *corev1.EndpointAddress) field.ErrorList {
	errs := meta.IP(path.Child("ip"), address.IP, nil)
	if address.Hostname != "" {
		errs = append(errs, meta.DNSLabel(path.Child("hostname"), address.Hostname)...)
	}
	if address.NodeName != nil {
		errs = append(errs, meta.Each(path.Child("nodeName"), *address.NodeName, validation.NameIsDNSSubdomain(*address.NodeName, false))...)
	}
	return append(errs, meta.EndpointIP(path.Child("ip"), address.IP)...)
}

func validateEndpointPort(path *field.Path, port *corev1.EndpointPort, named bool) field.ErrorList {
	var errs field.ErrorList
	if port.Name != "" {
		errs = append(errs, meta.DNSLabel(path.Child("name"), port.Name)...)
	} else if named {
		errs = append(errs, field.Required(path.Child("name"), ""))
	}
	errs = append(errs, meta.PortNumber(path.Child("port"), port.Port)...)
	errs = append(errs, meta.Protocol(path.Child("protocol"), port.Protocol)...)
	if port.AppProtocol != nil {
		errs = append(errs, meta.QualifiedName(path.Child("appProtocol"), *port.AppProtocol)...)
	}
	return errs
}

// endpointsWarnings spares the endpoints controller, which writes canonical addresses only.
func endpointsWarnings(endpoints *corev1.Endpoints) []string {
	if endpoints.Labels["endpoints.kubernetes.io/managed-by"] == "endpoint-controller" {
		return nil
	}
	var warnings []string
	for i, subset := range endpoints.Subsets {
		path := field.NewPath("subsets").Index(i)
		for j, address := range subset.Addresses {
			warnings = append(warnings, utilvalidation.GetWarningsForIP(path.Child("addresses").Index(j).Child("ip"), address.IP)...)
		}
		for j, address := range subset.NotReadyAddresses {
			warnings = append(warnings, utilvalidation.GetWarningsForIP(path.Child("notReadyAddresses").Index(j).Child("ip"), address.IP)...)
		}
	}
	return warnings
}

func endpointsCell(endpoints *corev1.Endpoints) string {
	if len(endpoints.Subsets) == 0 {
		return "<none>"
	}
	var items []string
	for _, subset := range endpoints.Subsets {
		if len(subset.Ports) == 0 {
			for _, address := range subset.Addresses {
				items = append(items, address.IP)
			}
		}
		for _, port := range subset.Ports {
			for _, address := range subset.Addresses {
				items = append(items, net.JoinHostPort(address.IP, strconv.Itoa(int(port.Port))))
			}
		}
	}
	return meta.Joined(items, "")
}
