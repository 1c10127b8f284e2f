package discovery

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Door is a subresource that is served by code of its own and therefore stands in no row of the kinds, or, when Resource is
// empty, a resource that is only ever written to.
type Door struct {
	Group, Resource string // whose subresource it is
	Name            string
	Singular        string // when Resource is empty
	Kind            string
	KindGroup       string // group and version of Kind, when they are not the resource's own
	KindVersion     string
	Namespaced      bool // when Resource is empty
	Verbs           []string
}

// StandardDoors lists what the API server serves by code.
func StandardDoors() []Door {
	proxy := []string{"create", "delete", "get", "patch", "update"}
	stream := []string{"create", "get"}
	create := []string{"create"}
	return []Door{
		{Name: "bindings", Singular: "binding", Kind: "Binding", Namespaced: true, Verbs: create},
		{Resource: "nodes", Name: "proxy", Kind: "NodeProxyOptions", Verbs: proxy},
		{Resource: "pods", Name: "attach", Kind: "PodAttachOptions", Verbs: stream},
		{Resource: "pods", Name: "binding", Kind: "Binding", Verbs: create},
		{Resource: "pods", Name: "eviction", Kind: "Eviction", KindGroup: "policy", KindVersion: "v1", Verbs: create},
		{Resource: "pods", Name: "exec", Kind: "PodExecOptions", Verbs: stream},
		{Resource: "pods", Name: "log", Kind: "Pod", Verbs: []string{"get"}},
		{Resource: "pods", Name: "portforward", Kind: "PodPortForwardOptions", Verbs: stream},
		{Resource: "pods", Name: "proxy", Kind: "PodProxyOptions", Verbs: proxy},
		{Resource: "serviceaccounts", Name: "token", Kind: "TokenRequest", KindGroup: "authentication.k8s.io", KindVersion: "v1", Verbs: create},
		{Resource: "services", Name: "proxy", Kind: "ServiceProxyOptions", Verbs: proxy},
	}
}

func (d Door) resource(name string, namespaced bool) metav1.APIResource {
	return metav1.APIResource{Name: name, SingularName: d.Singular, Namespaced: namespaced, Kind: d.Kind,
		Group: d.KindGroup, Version: d.KindVersion, Verbs: sorted(d.Verbs)}
}
