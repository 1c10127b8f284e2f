// Package replicaset keeps as many pods as each ReplicaSet asks for.
//
// It decides, as reconcile/replicas does, which pods to adopt, create and delete, and what the status says; it owns the
// pods it has created and the status of ReplicaSets; the controller host calls it. When pods cannot be created it says so in
// the ReplicaFailure condition and in events, and tries again with growing delay.
package replicaset

import (
	appsv1 "k8s.io/api/apps/v1"

	"proa/client"
	"proa/reconcile"
	"proa/reconcile/replicas"
)

// New makes the controller.
func New() reconcile.Controller {
	kind := &replicas.Kind{
		Table:             "replicasets.apps",
		GroupVersionKind:  appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
		ReplicaSet:        itself,
		WithStatus:        withStatus,
		CountsTerminating: true,
	}
	return reconcile.Controller{
		Name:     "replicaset",
		Identity: "system:serviceaccount:kube-system:replicaset-controller",
		Reads: []reconcile.Read{
			{Table: kind.Table, Keys: reconcile.Self},
			{Table: "pods", Keys: kind.KeysOfPod},
		},
		Writes:    []string{"replicasets.apps/status", "pods(owned by a ReplicaSet)", "pods/metadata.ownerReferences(ReplicaSet)"},
		Deletes:   []string{"pods"},
		Reconcile: kind.Reconcile,
		Workers:   5,
	}
}

func itself(obj client.Object) *appsv1.ReplicaSet {
	rs, _ := obj.(*appsv1.ReplicaSet)
	return rs
}

func withStatus(obj client.Object, status appsv1.ReplicaSetStatus) client.Object {
	rs := obj.(*appsv1.ReplicaSet).DeepCopy()
	rs.Status = status
	return rs
}
