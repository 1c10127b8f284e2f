// Package coordination holds the rules of the coordination.k8s.io group.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package coordination
