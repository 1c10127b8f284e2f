// Package legacy serves the API's kinds under the versions that manifests of earlier years name: extensions/v1beta1 and its
// like. Each is read and written as what is stored today, with the defaults of its time, and a warning that names the
// successor.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind. It needs nothing
// that could be gone.
package legacy

import (
	"fmt"

	appsv1beta1 "k8s.io/api/apps/v1beta1"
	extensionsv1beta1 "k8s.io/api/extensions/v1beta1"
	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"

	"proa/kinds/resource"
)

// version is one old version of a resource.
type version struct {
	table          string // of the resource, as the store names it
	group, version string
	since, refused string // the releases in which upstream deprecated and removed it

	// The Go types, where the version has fields that the stored one has not; else nil.
	new     func() resource.Object
	newList func() runtime.Object
	// up and down turn JSON of this version into the stored one's and back; nil: they are the same. What up is given may be
	// a part of an object.
	up, down func(map[string]any)
	// defaults sets what was the default then and is another now, on the stored form.
	defaults func(resource.Object)
}

// versions lists all of them, in the order of discovery.
var versions = []version{
	{table: "deployments.apps", group: "apps", version: "v1beta2", since: "v1.9", refused: "v1.16"},
	{table: "daemonsets.apps", group: "apps", version: "v1beta2", since: "v1.9", refused: "v1.16"},
	{table: "replicasets.apps", group: "apps", version: "v1beta2", since: "v1.9", refused: "v1.16"},
	{table: "statefulsets.apps", group: "apps", version: "v1beta2", since: "v1.9", refused: "v1.16"},
	{table: "controllerrevisions.apps", group: "apps", version: "v1beta2", since: "v1.9", refused: "v1.16"},
	{
		table: "deployments.apps", group: "apps", version: "v1beta1", since: "v1.8", refused: "v1.16",
		new:     func() resource.Object { return &appsv1beta1.Deployment{} },
		newList: func() runtime.Object { return &appsv1beta1.DeploymentList{} },
		up:      dropRollback, defaults: appsDeployment,
	},
	{table: "statefulsets.apps", group: "apps", version: "v1beta1", since: "v1.8", refused: "v1.16", defaults: appsStatefulSet},
	{table: "controllerrevisions.apps", group: "apps", version: "v1beta1", since: "v1.8", refused: "v1.16"},
	{
		table: "deployments.apps", group: "extensions", version: "v1beta1", since: "v1.8", refused: "v1.16",
		new:     func() resource.Object { return &extensionsv1beta1.Deployment{} },
		newList: func() runtime.Object { return &extensionsv1beta1.DeploymentList{} },
		up:      dropRollback, defaults: extensionsDeployment,
	},
	{
		table: "daemonsets.apps", group: "extensions", version: "v1beta1", since: "v1.8", refused: "v1.16",
		new:     func() resource.Object { return &extensionsv1beta1.DaemonSet{} },
		newList: func() runtime.Object { return &extensionsv1beta1.DaemonSetList{} },
		up:      generationToAnnotation, down: generationFromAnnotation, defaults: extensionsDaemonSet,
	},
	{table: "replicasets.apps", group: "extensions", version: "v1beta1", since: "v1.8", refused: "v1.16", defaults: selectOwnLabels},
	{
		table: "ingresses.networking.k8s.io", group: "networking.k8s.io", version: "v1beta1", since: "v1.19", refused: "v1.22",
		new:     func() resource.Object { return &networkingv1beta1.Ingress{} },
		newList: func() runtime.Object { return &networkingv1beta1.IngressList{} },
		up:      backendsUp, down: backendsDown, defaults: anyPathType,
	},
	{
		table: "ingresses.networking.k8s.io", group: "extensions", version: "v1beta1", since: "v1.14", refused: "v1.22",
		new:     func() resource.Object { return &extensionsv1beta1.Ingress{} },
		newList: func() runtime.Object { return &extensionsv1beta1.IngressList{} },
		up:      backendsUp, down: backendsDown, defaults: anyPathType,
	},
	{table: "ingressclasses.networking.k8s.io", group: "networking.k8s.io", version: "v1beta1", since: "v1.19", refused: "v1.22"},
	{table: "cronjobs.batch", group: "batch", version: "v1beta1", since: "v1.21", refused: "v1.25"},
	{table: "cronjobs.batch", group: "batch", version: "v2alpha1", since: "v1.8", refused: "v1.21"},
	{table: "horizontalpodautoscalers.autoscaling", group: "autoscaling", version: "v2beta2", since: "v1.23", refused: "v1.26"},
	{
		table: "poddisruptionbudgets.policy", group: "policy", version: "v1beta1", since: "v1.21", refused: "v1.25",
		up: noneUp, down: noneDown,
	},
	{table: "clusterroles.rbac.authorization.k8s.io", group: "rbac.authorization.k8s.io", version: "v1beta1", since: "v1.17", refused: "v1.22"},
	{table: "clusterrolebindings.rbac.authorization.k8s.io", group: "rbac.authorization.k8s.io", version: "v1beta1", since: "v1.17", refused: "v1.22"},
	{table: "roles.rbac.authorization.k8s.io", group: "rbac.authorization.k8s.io", version: "v1beta1", since: "v1.17", refused: "v1.22"},
	{table: "rolebindings.rbac.authorization.k8s.io", group: "rbac.authorization.k8s.io", version: "v1beta1", since: "v1.17", refused: "v1.22"},
	{table: "priorityclasses.scheduling.k8s.io", group: "scheduling.k8s.io", version: "v1beta1", since: "v1.14", refused: "v1.22"},
	{table: "storageclasses.storage.k8s.io", group: "storage.k8s.io", version: "v1beta1", since: "v1.19", refused: "v1.22"},
}

// Serve adds the old versions to the rows of their resources, and returns the rows.
func Serve(rows ...*resource.Resource) []*resource.Resource {
	byTable := map[string]*resource.Resource{}
	for _, r := range rows {
		byTable[r.Table()] = r
	}
	for i := range versions {
		v := &versions[i]
		if r := byTable[v.table]; r != nil {
			r.Served = append(r.Served, v.served(r))
		}
	}
	return rows
}

func (v *version) served(r *resource.Resource) resource.Served {
	s := resource.Served{
		Group: v.group, Version: v.version, New: r.New, NewList: r.NewList, Config: v.up,
		Deprecated: fmt.Sprintf("%s/%s %s is deprecated since %s, and other clusters refuse it since %s; use %s/%s %s",
			v.group, v.version, r.Kind, v.since, v.refused, r.Group, r.Version, r.Kind),
	}
	if v.new != nil {
		s.New, s.NewList = v.new, v.newList
	}
	s.DefaultStored = v.defaults
	s.ToStored = func(obj resource.Object) (resource.Object, error) { return convert(obj, r.New(), v.up, v.new == nil) }
	s.FromStored = func(obj resource.Object) (resource.Object, error) { return convert(obj, s.New(), v.down, v.new == nil) }
	return s
}

// convert copies what two versions have in common and lets change do the rest.
func convert(from, to resource.Object, change func(map[string]any), sameType bool) (resource.Object, error) {
	if sameType && change == nil {
		return from.DeepCopyObject().(resource.Object), nil
	}
	data, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	if change != nil {
		fields := map[string]any{}
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, err
		}
		change(fields)
		if data, err = json.Marshal(fields); err != nil {
			return nil, err
		}
	}
	return to, json.Unmarshal(data, to)
}
