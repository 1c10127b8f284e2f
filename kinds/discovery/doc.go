// Package discovery holds the rules of the discovery.k8s.io group: what is filled in, what is refused, what kubectl shows.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package discovery
