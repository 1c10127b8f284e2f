// Package apps holds the rules of the workload kinds: ReplicaSet, Deployment, StatefulSet, DaemonSet and
// ControllerRevision. What they fill in, what they refuse, what kubectl shows.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. The rules of the pod template are in kinds/podspec. It needs
// nothing that could be gone.
package apps
