// Package pod decides what happens next with one pod on this node, and what its status says.
//
// It is pure: Machine.Step takes one event and the time, and returns actions, the status and the moment at which time
// alone changes something. It owns nothing and performs nothing; node/run holds one Machine per pod, performs the
// actions and reports back. When the runtime or a volume source is gone, the actions fail, the failures come back as
// events, and the machine retries with back-off.
package pod
