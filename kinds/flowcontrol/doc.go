// Package flowcontrol holds the rules of the kinds that say how requests share the API server: FlowSchema and
// PriorityLevelConfiguration, and the objects of both that every cluster begins with.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. Package apiserver/fair acts by what the objects say. It needs
// nothing that could be gone.
package flowcontrol
