// Package chain is what every request passes before a verb sees it: one list of filters, in order.
//
// It decides who asks (with an authenticator), what is asked (the path), and whether it is allowed (with an
// authorizer); it owns the limits on requests in flight and their time. The API server calls it once to build its
// handler. When authentication or authorization cannot be decided, the answer is a refusal.
package chain
