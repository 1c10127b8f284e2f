package apiservice

import (
	"context"
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/client"
	"proa/kinds/apiextensions"
	"proa/kinds/apiregistration"
	"proa/reconcile"
)

// NewRegistrar makes the controller that registers the versions of custom kinds. Its keys are names of APIServices.
func NewRegistrar() reconcile.Controller {
	return reconcile.Controller{
		Name:     "crdregistration",
		Identity: "system:apiserver",
		Reads: []reconcile.Read{
			{Table: table, Keys: reconcile.Self},
			{Table: apiextensions.Table, Keys: versionsOf},
		},
		Writes:  []string{table + "(of custom kinds)"},
		Deletes: []string{table + "(of custom kinds)"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, register(ctx, req)
		},
	}
}

// versionsOf names the versions that a definition has, and those that it had.
func versionsOf(_ client.View, event client.Event) []reconcile.Key {
	var keys []reconcile.Key
	for _, obj := range []client.Object{event.Object, event.Old} {
		d, ok := obj.(*apiextensionsv1.CustomResourceDefinition)
		if !ok {
			continue
		}
		for _, v := range d.Spec.Versions {
			keys = append(keys, reconcile.Key{Name: apiregistration.Name(schema.GroupVersion{Group: d.Spec.Group, Version: v.Name})})
		}
	}
	return keys
}

func register(ctx context.Context, req reconcile.Request) error {
	version, group, _ := strings.Cut(req.Name, ".")
	gv := schema.GroupVersion{Group: group, Version: version}
	current, _ := client.Get[*apiregistrationv1.APIService](req.View, table, "", req.Name)
	var err error
	switch next, does := registration(gv, servesCustom(req.View, gv), current); does {
	case create:
		_, err = req.Client.Create(ctx, client.Ref{Table: table, Name: req.Name}, "", next, metav1.CreateOptions{})
	case update:
		_, err = req.Client.Update(ctx, client.RefOf(table, next), "", next, metav1.UpdateOptions{})
	case remove:
		err = req.Client.Delete(ctx, client.RefOf(table, current), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &current.UID}})
	}
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // whoever was faster brings the key up again
	}
	return fmt.Errorf("register %s: %w", gv, err)
}

// servesCustom says whether a definition serves the version.
func servesCustom(view client.View, gv schema.GroupVersion) bool {
	for d := range client.List[*apiextensionsv1.CustomResourceDefinition](view, apiextensions.Table, "") {
		if d.Spec.Group != gv.Group {
			continue
		}
		for _, v := range d.Spec.Versions {
			if v.Name == gv.Version && v.Served {
				return true
			}
		}
	}
	return false
}

// registering is what there is to do about an APIService.
type registering int

const (
	nothing registering = iota
	create
	update
	remove
)

// registration decides about the APIService of a version, nil if there is none. One that somebody else made stays as it is,
// even if it gives the version to a Service; so does one that is written when the program starts.
func registration(gv schema.GroupVersion, served bool, current *apiregistrationv1.APIService) (*apiregistrationv1.APIService, registering) {
	wanted := apiregistration.Own(gv)
	wanted.Labels[apiregistration.AutoManaged] = "true"
	switch {
	case current == nil && served:
		return wanted, create
	case current == nil || current.Labels[apiregistration.AutoManaged] != "true" || current.DeletionTimestamp != nil:
		return nil, nothing
	case !served:
		return nil, remove
	}
	next := current.DeepCopy()
	next.Spec = wanted.Spec
	if equality.Semantic.DeepEqual(current.Spec, next.Spec) {
		return nil, nothing
	}
	return next, update
}
