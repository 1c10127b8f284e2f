// Package verbs does what requests ask of stored objects: get, list, watch, create, update, patch, delete.
//
// Each verb is one file with two doors: a method that works on Go values, for callers inside the process, and the
// handler that reads a request and writes the answer. It decides the order of defaulting, admission, validation and
// commit, and all of optimistic concurrency; it owns nothing but the requests under way. The API server's handler and
// its local clients call it. When the store refuses writes, reads and watches go on.
package verbs
