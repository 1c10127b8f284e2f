// Package audit writes down who asked what of the API server, and what became of it.
//
// A policy decides how much of which request is kept (policy.go), a Record gathers it while the request is served, and
// sinks take the events: a file that is rotated (file.go), a webhook (webhook.go), each behind a buffer if asked
// (batch.go). The chain begins and ends records; whoever knows more about a request adds to it with Annotate. It owns
// the log file and the goroutines that Run starts. When a sink fails, the failure is counted and logged, and requests go
// on. Without a policy nothing of this exists.
package audit
