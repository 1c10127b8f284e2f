// Package certificates holds the rules of the certificates.k8s.io group, and what a certificate request must say for a
// signer of the system to take it.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write, by the controllers that approve and sign, and by whoever prints a table. It needs nothing that
// could be gone.
package certificates
