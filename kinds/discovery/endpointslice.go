package discovery

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// EndpointSlice is the row of endpointslices.
func EndpointSlice() *resource.Resource {
	return &resource.Resource{
		Group: discoveryv1.GroupName, Version: "v1", Name: "endpointslices", Singular: "endpointslice", Kind: "EndpointSlice",
		Namespaced:    true,
		New:           func() resource.Object { return &discoveryv1.EndpointSlice{} },
		NewList:       func() runtime.Object { return &discoveryv1.EndpointSliceList{} },
		Default:       resource.Do(defaultEndpointSlice),
		PrepareCreate: resource.Do(createEndpointSlice),
		PrepareUpdate: resource.Do2(updateEndpointSlice),
		Validate: resource.Typed(func(slice *discoveryv1.EndpointSlice) field.ErrorList {
			return validateEndpointSlice(slice, nil)
		}),
		ValidateUpdate:           resource.Typed2(validateEndpointSliceUpdate),
		Warnings:                 endpointSliceWarnings,
		AllowUnconditionalUpdate: true,
		Columns:                  endpointSliceColumns(),
		Row: resource.Typed(func(slice *discoveryv1.EndpointSlice) []any {
			return []any{
				slice.Name, string(slice.AddressType), meta.Joined(ports(slice), "<unset>"),
				meta.Joined(addresses(slice), "<unset>"), meta.Since(slice.CreationTimestamp),
			}
		}),
	}
}

func defaultEndpointSlice(slice *discoveryv1.EndpointSlice) {
	for i := range slice.Ports {
		port := &slice.Ports[i]
		if port.Name == nil {
			port.Name = new("")
		}
		if port.Protocol == nil {
			port.Protocol = new(corev1.ProtocolTCP)
		}
	}
}

func createEndpointSlice(slice *discoveryv1.EndpointSlice) {
	slice.Generation = 1
	for i := range slice.Endpoints {
		slice.Endpoints[i].DeprecatedTopology = nil
	}
}

// updateEndpointSlice counts a generation for every change but that of metadata other than labels.
func updateEndpointSlice(slice, old *discoveryv1.EndpointSlice) {
	sameEndpoints := equality.Semantic.DeepEqual(slice.Endpoints, old.Endpoints)
	meta.CountGeneration(slice, old, !sameEndpoints || !equality.Semantic.DeepEqual(slice.Labels, old.Labels) ||
		!equality.Semantic.DeepEqual(slice.Ports, old.Ports) || slice.AddressType != old.AddressType)
	if !sameEndpoints {
		dropTopology(slice, old)
	}
}

// dropTopology drops a field that this version of the API reads only. The node's name, which clients of older versions
// kept there, is saved.
func dropTopology(slice, old *discoveryv1.EndpointSlice) {
	nodes := map[string]bool{}
	for _, endpoint := range old.Endpoints {
		nodes[endpoint.DeprecatedTopology[corev1.LabelHostname]] = true
	}
	for i := range slice.Endpoints {
		endpoint := &slice.Endpoints[i]
		node := endpoint.DeprecatedTopology[corev1.LabelHostname]
		if endpoint.NodeName == nil && node != "" && nodes[node] && len(validation.IsDNS1123Subdomain(node)) == 0 {
			endpoint.NodeName = &node
		}
		endpoint.DeprecatedTopology = nil
	}
}

func endpointSliceColumns() []resource.Column {
	doc := discoveryv1.EndpointSlice{}.SwaggerDoc()
	return []resource.Column{
		meta.Name(),
		meta.Column("AddressType", doc["addressType"]),
		meta.Column("Ports", doc["ports"]),
		meta.Column("Endpoints", doc["endpoints"]),
		meta.Age(),
	}
}

func ports(slice *discoveryv1.EndpointSlice) []string {
	var list []string
	for _, port := range slice.Ports {
		switch {
		case port.Port != nil:
			list = append(list, strconv.Itoa(int(*port.Port)))
		case port.Name != nil:
			list = append(list, *port.Name)
		default:
			list = append(list, "*")
		}
	}
	return list
}

func addresses(slice *discoveryv1.EndpointSlice) []string {
	var list []string
	for _, endpoint := range slice.Endpoints {
		list = append(list, endpoint.Addresses...)
	}
	return list
}

// endpointSliceWarnings spares our own controllers, which write canonical addresses only.
func endpointSliceWarnings(obj, old resource.Object) []string {
	slice := obj.(*discoveryv1.EndpointSlice)
	var warnings []string
	if old == nil && slice.AddressType == discoveryv1.AddressTypeFQDN {
		warnings = append(warnings, "spec.addressType: FQDN endpoints are deprecated")
	}
	switch slice.Labels[discoveryv1.LabelManagedBy] {
	case "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io":
		return warnings
	}
	for i, endpoint := range slice.Endpoints {
		for j, address := range endpoint.Addresses {
			path := field.NewPath("endpoints").Index(i).Child("addresses").Index(j)
			warnings = append(warnings, validation.GetWarningsForIP(path, address)...)
		}
	}
	return warnings
}
