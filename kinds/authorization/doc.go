// Package authorization holds the review kinds of the authorization.k8s.io group. They are answered, never stored.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package authorization
