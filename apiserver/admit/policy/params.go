package policy

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/admit/review"
	"proa/apiserver/encode"
	"proa/kinds/resource"
	"proa/store"
)

// paramKind is the version in which a policy reads its parameters; nil if it has none.
func (p *Policies) paramKind(kind *admissionv1.ParamKind) (*encode.Version, error) {
	if kind == nil {
		return nil, nil
	}
	gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	if row := p.cfg.Kinds.ByKind(gvk); row != nil {
		if v := encode.VersionOf(p.cfg.Kinds, gvk.GroupVersion().WithResource(row.Name)); v != nil {
			return v, nil
		}
	}
	return nil, fmt.Errorf("failed to find resource referenced by paramKind: '%v'", gvk)
}

// collect lists the parameters that a binding means, each of which the policy is evaluated with: nil is none. An empty list
// means that there is nothing to evaluate.
func collect(w *review.Write, kind *encode.Version, ref *admissionv1.ParamRef) ([]runtime.Object, error) {
	if kind == nil || ref == nil {
		return []runtime.Object{nil}, nil
	}
	namespace := ""
	if kind.Resource.Namespaced {
		if namespace = ref.Namespace; namespace == "" {
			namespace = w.Where()
		}
		if namespace == "" {
			return nil, errors.New("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
		}
	} else if ref.Namespace != "" {
		return nil, errors.New("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
	}
	found, err := find(w.Snapshot, kind, ref, namespace)
	if err != nil {
		return nil, err
	}
	if action := ref.ParameterNotFoundAction; len(found) == 0 && action != nil && *action == admissionv1.DenyAction {
		return nil, errors.New("no params found for policy binding with `Deny` parameterNotFoundAction")
	}
	return found, nil
}

func find(snap store.Snapshot, kind *encode.Version, ref *admissionv1.ParamRef, namespace string) ([]runtime.Object, error) {
	table := kind.Resource.Table()
	if ref.Name != "" {
		item := snap.Get(store.Key{Table: table, Namespace: namespace, Name: ref.Name})
		if item == nil {
			return nil, nil
		}
		obj, err := kind.Object(item)
		return []runtime.Object{obj}, err
	}
	selector, err := metav1.LabelSelectorAsSelector(ref.Selector)
	if err != nil {
		return nil, err
	}
	var found []runtime.Object
	for item := range snap.List(table, namespace, store.Key{}) {
		stored, ok := item.Value().(resource.Object)
		if !ok || !selector.Matches(labels.Set(stored.GetLabels())) {
			continue
		}
		obj, err := kind.Object(item)
		if err != nil {
			return nil, err
		}
		found = append(found, obj)
	}
	return found, nil
}
