// Package apiextensions holds the rules of CustomResourceDefinition, by which users add kinds of their own.
//
// It decides what is wrong with a definition and what a write of one resets; package apiserver/custom makes kinds of
// definitions. Every function is pure and is called through the row of the kind, by the API server for each write. It needs
// nothing that could be gone.
//
// Most rules are those of k8s.io/apiextensions-apiserver, which is a library for it. They are written for its internal
// type, so that a definition is converted to be checked.
package apiextensions
