// Package flowcontrol keeps the objects by which requests share the API server: the ones that every cluster has, in step
// with the program, and on each FlowSchema the condition that says whether its priority level is there.
//
// It decides by the annotation apf.kubernetes.io/autoupdate-spec what it may change, as upstream does; it owns the
// mandatory objects and that condition; the controller host calls it. When it does not run, sharing goes on: package
// apiserver/fair reads the objects itself and needs none of them.
package flowcontrol

import (
	"context"
	"errors"
	"fmt"
	"slices"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

// Tables that the controller keeps.
const (
	schemasTable = "flowschemas." + flowcontrolv1.GroupName
	levelsTable  = "prioritylevelconfigurations." + flowcontrolv1.GroupName
)

// Identity is who makes the controller's writes: the API server itself, which is in system:masters.
const Identity = "system:apiserver"

// The names under which upstream writes, by which people tell its writes from others'.
const (
	producer = "api-priority-and-fairness-config-producer-v1"
	consumer = "api-priority-and-fairness-config-consumer-v1"
)

// whole is the only key: the objects are few, and each may concern the others.
var whole = []reconcile.Key{{Name: "configuration"}}

// New makes the controller.
func New() reconcile.Controller {
	all := func(client.View, client.Event) []reconcile.Key { return whole }
	return reconcile.Controller{
		Name:      "flowcontrol",
		Identity:  Identity,
		Reads:     []reconcile.Read{{Table: schemasTable, Keys: all}, {Table: levelsTable, Keys: all}},
		Writes:    []string{schemasTable + "(of every cluster)", levelsTable + "(of every cluster)", schemasTable + "/status"},
		Deletes:   []string{schemasTable, levelsTable},
		Reconcile: bringInLine,
	}
}

func bringInLine(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var s state
	for obj := range req.View.List(schemasTable, "") {
		s.schemas = append(s.schemas, obj.(*flowcontrolv1.FlowSchema))
	}
	for obj := range req.View.List(levelsTable, "") {
		s.levels = append(s.levels, obj.(*flowcontrolv1.PriorityLevelConfiguration))
	}
	slices.SortFunc(s.schemas, byName)
	var failed []error
	for _, a := range plan(s, req.Now) {
		if err := act(ctx, req.Client, a); err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", a.verb, a.object.GetName(), err))
		}
	}
	return reconcile.Result{}, errors.Join(failed...)
}

func act(ctx context.Context, api client.Client, a action) error {
	table := schemasTable
	if _, ok := a.object.(*flowcontrolv1.PriorityLevelConfiguration); ok {
		table = levelsTable
	}
	ref := client.RefOf(table, a.object)
	var err error
	switch a.verb {
	case "create":
		_, err = api.Create(ctx, ref, "", a.object, metav1.CreateOptions{FieldManager: producer})
	case "update":
		_, err = api.Update(ctx, ref, "", a.object, metav1.UpdateOptions{FieldManager: producer})
	case "status":
		_, err = api.Update(ctx, ref, "status", a.object, metav1.UpdateOptions{FieldManager: consumer})
	case "delete":
		version := a.object.GetResourceVersion()
		err = api.Delete(ctx, ref, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &version}})
	}
	if apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return nil // somebody was quicker; their change brings the key back
	}
	return err
}
