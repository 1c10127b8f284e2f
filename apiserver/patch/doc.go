// Package patch makes new objects out of stored ones and patches, and keeps who owns which field.
//
// It decides by pure functions over objects: JSON patch, merge patch, strategic merge patch and apply. It owns the
// schemas by which fields are compared and merged, which are read from client-go on first use. The verbs call it.
package patch
