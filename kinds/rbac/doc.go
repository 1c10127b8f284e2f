// Package rbac holds the rules of the rbac.authorization.k8s.io group, and the roles that a cluster starts with.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package rbac
