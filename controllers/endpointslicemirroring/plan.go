package endpointslicemirroring

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxEndpoints bounds the addresses of a subset that are mirrored; a slice holds no more.
const maxEndpoints = 1000

// manager is the value of the label that says whose a slice is.
const manager = "endpointslicemirroring-controller.k8s.io"

// plan is what to write.
type plan struct {
	create, update, remove []*discoveryv1.EndpointSlice
	skipped                int // addresses that are too many
}

// decide gives each group of the Endpoints one slice. An existing slice with the same ports stays, or else one of the
// same family is taken over. Without Endpoints all slices go.
func decide(endpoints *corev1.Endpoints, existing []*discoveryv1.EndpointSlice) plan {
	var p plan
	free := slices.Clone(existing)
	slices.SortFunc(free, func(a, b *discoveryv1.EndpointSlice) int { return cmp.Compare(a.Name, b.Name) })
	var homeless []*discoveryv1.EndpointSlice
	for _, wanted := range desired(endpoints, &p.skipped) {
		if i := slices.IndexFunc(free, func(s *discoveryv1.EndpointSlice) bool { return samePlace(s, wanted) }); i >= 0 {
			p.keep(free[i], wanted)
			free = slices.Delete(free, i, i+1)
		} else {
			homeless = append(homeless, wanted)
		}
	}
	for _, wanted := range homeless {
		if i := slices.IndexFunc(free, func(s *discoveryv1.EndpointSlice) bool { return s.AddressType == wanted.AddressType }); i >= 0 {
			p.keep(free[i], wanted)
			free = slices.Delete(free, i, i+1)
		} else {
			p.create = append(p.create, wanted)
		}
	}
	p.remove = free
	return p
}

func samePlace(a, b *discoveryv1.EndpointSlice) bool {
	return a.AddressType == b.AddressType && equality.Semantic.DeepEqual(a.Ports, b.Ports)
}

// keep makes an existing slice what is wanted, if it is not so already.
func (p *plan) keep(existing, wanted *discoveryv1.EndpointSlice) {
	if samePlace(existing, wanted) && equality.Semantic.DeepEqual(existing.Endpoints, wanted.Endpoints) &&
		maps.Equal(existing.Labels, wanted.Labels) && maps.Equal(existing.Annotations, wanted.Annotations) &&
		equality.Semantic.DeepEqual(existing.OwnerReferences, wanted.OwnerReferences) {
		return
	}
	next := existing.DeepCopy()
	next.Labels, next.Annotations, next.OwnerReferences = wanted.Labels, wanted.Annotations, wanted.OwnerReferences
	next.Ports, next.Endpoints = wanted.Ports, wanted.Endpoints
	p.update = append(p.update, next)
}

// desired are the slices of Endpoints. It counts the addresses that have no place.
func desired(endpoints *corev1.Endpoints, skipped *int) []*discoveryv1.EndpointSlice {
	if endpoints == nil {
		return nil
	}
	var wanted []*discoveryv1.EndpointSlice
	for _, g := range repack(endpoints.Subsets) {
		byFamily := map[discoveryv1.AddressType]*discoveryv1.EndpointSlice{}
		for i, a := range g.addresses {
			if i >= maxEndpoints {
				*skipped += len(g.addresses) - i
				break
			}
			if byFamily[a.family] == nil {
				slice := newSlice(endpoints, g.ports)
				slice.AddressType = a.family
				byFamily[a.family] = slice
				wanted = append(wanted, slice)
			}
			byFamily[a.family].Endpoints = append(byFamily[a.family].Endpoints, a.endpoint())
		}
	}
	return wanted
}

func newSlice(endpoints *corev1.Endpoints, ports []corev1.EndpointPort) *discoveryv1.EndpointSlice {
	prefix := endpoints.Name + "-"
	if len(apivalidation.NameIsDNSSubdomain(prefix, true)) > 0 {
		prefix = endpoints.Name
	}
	labels := map[string]string{}
	maps.Copy(labels, endpoints.Labels)
	labels[discoveryv1.LabelServiceName] = endpoints.Name
	labels[discoveryv1.LabelManagedBy] = manager
	annotations := maps.Clone(endpoints.Annotations)
	delete(annotations, corev1.EndpointsLastChangeTriggerTime)
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Namespace: endpoints.Namespace, GenerateName: prefix, Labels: labels, Annotations: annotations,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(endpoints, corev1.SchemeGroupVersion.WithKind("Endpoints"))},
	}}
	for i := range ports {
		p := ports[i]
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &p.Port, Protocol: &p.Protocol, AppProtocol: p.AppProtocol})
	}
	return slice
}
