// Package admissionpolicy tells authors of ValidatingAdmissionPolicies what their expressions say wrongly of the kinds that they
// are about.
//
// It decides nothing itself: what is wrong is found by a function that is handed in, for it needs the schemas of the API. It
// owns the status of policies; the controller host calls it. While it does not run, policies count all the same.
package admissionpolicy

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/reconcile"
)

const table = "validatingadmissionpolicies." + admissionv1.GroupName

// Check lists what a policy's expressions say wrongly.
type Check func(*admissionv1.ValidatingAdmissionPolicy) ([]admissionv1.ExpressionWarning, error)

// New makes the controller. Its keys are policies.
func New(check Check) reconcile.Controller {
	return reconcile.Controller{
		Name:     "admissionpolicy",
		Identity: "system:serviceaccount:kube-system:validatingadmissionpolicy-status-controller",
		Reads:    []reconcile.Read{{Table: table, Keys: reconcile.Self}},
		Writes:   []string{"validatingadmissionpolicies.admissionregistration.k8s.io(status)"},
		Reconcile: func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, run(ctx, req, check)
		},
	}
}

func run(ctx context.Context, req reconcile.Request, check Check) error {
	policy, ok := client.Get[*admissionv1.ValidatingAdmissionPolicy](req.View, table, "", req.Name)
	if !ok || policy.DeletionTimestamp != nil || policy.Status.ObservedGeneration == policy.Generation {
		return nil
	}
	warnings, err := check(policy)
	if err != nil {
		return fmt.Errorf("check types of policy %s: %w", policy.Name, err)
	}
	next := policy.DeepCopy()
	next.Status.ObservedGeneration = policy.Generation
	next.Status.TypeChecking = &admissionv1.TypeChecking{ExpressionWarnings: warnings}
	if _, err := req.Client.Update(ctx, client.RefOf(table, next), "status", next, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write status of policy: %w", err)
	}
	return nil
}
