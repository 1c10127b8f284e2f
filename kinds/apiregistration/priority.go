// Package apiregistration says which API groups and versions there are beside each other, and which of them comes first.
//
// It decides and does nothing on its own: every function is pure. The API server's discovery lists groups and versions in the
// order of their priorities, and who registers the built-in ones writes them down. It needs nothing that could be gone.
package apiregistration

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/kinds/resource"
)

// Priority is the place of a version: of its group among groups, and of itself in its group. Higher comes first.
type Priority struct{ Group, Version int32 }

// unknown is upstream's priority of groups that are custom resources alone.
var unknown = Priority{Group: 1000, Version: 100}

// groups are the built-in groups' priorities, upstream's.
var groups = map[string]int32{
	"apiregistration.k8s.io":       20000, // what all others are registered with
	"":                             18000,
	"apps":                         17800,
	"events.k8s.io":                17750,
	"authentication.k8s.io":        17700,
	"authorization.k8s.io":         17600,
	"autoscaling":                  17500,
	"batch":                        17400,
	"certificates.k8s.io":          17300,
	"networking.k8s.io":            17200,
	"policy":                       17100,
	"rbac.authorization.k8s.io":    17000,
	"storage.k8s.io":               16800,
	"admissionregistration.k8s.io": 16700,
	"apiextensions.k8s.io":         16700,
	"scheduling.k8s.io":            16600,
	"coordination.k8s.io":          16500,
	"node.k8s.io":                  16300,
	"discovery.k8s.io":             16200,
	"resource.k8s.io":              16200,
	"flowcontrol.apiserver.k8s.io": 16100,
	"metrics.k8s.io":               100,
	"extensions":                   10, // nobody shall find a kind here that has a group of its own today
}

// versions are the priorities of built-in versions that upstream has. The others are older than all of these.
var versions = map[schema.GroupVersion]int32{
	{Version: "v1"}:                                        1,
	{Group: "autoscaling", Version: "v2"}:                  30,
	{Group: "flowcontrol.apiserver.k8s.io", Version: "v1"}: 21,
	{Group: "metrics.k8s.io", Version: "v1beta1"}:          100,
	{Group: "resource.k8s.io", Version: "v1"}:              21,
}

// PriorityOf is the priority of a group and version that this program serves itself.
func PriorityOf(gv schema.GroupVersion) Priority {
	group, known := groups[gv.Group]
	if !known {
		return unknown
	}
	version, known := versions[gv]
	switch {
	case known:
	case gv.Version == "v1":
		version = 15
	default:
		version = 1
	}
	return Priority{group, version}
}

// AutoManaged is the label of APIServices that the API server writes itself; "onstart" says when.
const AutoManaged = "kube-aggregator.kubernetes.io/automanaged"

// OwnVersions lists the versions of rows that are registered: the built-in groups' and none that is there for old clients only.
// Usage of nodes and pods is not registered, so that another server may be.
func OwnVersions(rows []*resource.Resource) []schema.GroupVersion {
	var own []schema.GroupVersion
	add := func(gv schema.GroupVersion) {
		if _, builtin := groups[gv.Group]; builtin && gv.Group != Group && gv.Group != "metrics.k8s.io" && !slices.Contains(own, gv) {
			own = append(own, gv)
		}
	}
	for _, r := range rows {
		add(schema.GroupVersion{Group: r.Group, Version: r.Version})
		for _, s := range r.Served {
			if s.Deprecated == "" {
				add(schema.GroupVersion{Group: s.Group, Version: s.Version})
			}
		}
	}
	return own
}

// Own is the object of a version that the API server serves itself.
func Own(gv schema.GroupVersion) *apiregistrationv1.APIService {
	p := PriorityOf(gv)
	return &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: Name(gv), Labels: map[string]string{AutoManaged: "onstart"}},
		Spec: apiregistrationv1.APIServiceSpec{Group: gv.Group, Version: gv.Version,
			GroupPriorityMinimum: p.Group, VersionPriority: p.Version},
	}
}
