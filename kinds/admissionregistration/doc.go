// Package admissionregistration holds the rules of the kinds by which users take part in admission: configurations of
// webhooks, policies, and their bindings.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package admissionregistration
