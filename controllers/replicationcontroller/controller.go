// Package replicationcontroller keeps as many pods as each ReplicationController asks for.
//
// It decides, as reconcile/replicas does, which pods to adopt, create and delete, and what the status says; it owns the
// pods it has created and the status of ReplicationControllers; the controller host calls it. When pods cannot be created
// it says so in the ReplicaFailure condition and in events, and tries again with growing delay.
package replicationcontroller

import (
	corev1 "k8s.io/api/core/v1"

	"proa/reconcile"
	"proa/reconcile/replicas"
)

// New makes the controller.
func New() reconcile.Controller {
	kind := &replicas.Kind{
		Table:            "replicationcontrollers",
		GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ReplicationController"),
		ReplicaSet:       asReplicaSet,
		WithStatus:       withStatus,
	}
	return reconcile.Controller{
		Name:     "replicationcontroller",
		Identity: "system:serviceaccount:kube-system:replication-controller",
		Reads: []reconcile.Read{
			{Table: kind.Table, Keys: reconcile.Self},
			{Table: "pods", Keys: kind.KeysOfPod},
		},
		Writes: []string{"replicationcontrollers/status", "pods(owned by a ReplicationController)",
			"pods/metadata.ownerReferences(ReplicationController)"},
		Deletes:   []string{"pods"},
		Reconcile: kind.Reconcile,
		Workers:   5,
	}
}
