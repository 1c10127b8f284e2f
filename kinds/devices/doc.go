// Package devices holds the kinds of devices that pods claim (resource.k8s.io, KEP-4381): what drivers publish, classes of
// it, and claims. What they fill in, what they refuse, what kubectl shows.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API server
// for each write and by whoever prints a table. Expressions that select devices are bounded in length and kept as written: who
// allocates devices compiles them. It needs nothing that could be gone.
package devices
