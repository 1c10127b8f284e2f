// Package podspec holds the rules of pods and of everything that contains a pod: what the API fills in, what it
// refuses, and what others may ask of a pod (quality of service, effective requests, readiness, references).
//
// It decides only: every function is pure and takes the time as an argument where it needs one. The rows of kinds/core,
// kinds/apps and kinds/batch call it for each write, the scheduler, controllers and node for the questions. It needs
// nothing that could be gone. Behaviour and error texts are upstream's, from pkg/apis/core/v1 and
// pkg/apis/core/validation of Kubernetes v1.36.
package podspec
