package pod

import (
	v1 "k8s.io/api/core/v1"
)

// The annotations by which static pods, and what shows them in the API, are known.
const (
	AnnotationSource = "kubernetes.io/config.source" // "file", or "api"
	AnnotationHash   = v1.MirrorPodAnnotationKey     // set on the mirror: of the static pod that it shows
)

// IsStatic says whether a pod is the node's own: it is not from the API.
func IsStatic(p *v1.Pod) bool {
	source := p.Annotations[AnnotationSource]
	return source != "" && source != "api"
}

// IsMirror says whether a pod of the API only shows one of the node's own.
func IsMirror(p *v1.Pod) bool {
	_, mirror := p.Annotations[v1.MirrorPodAnnotationKey]
	return mirror
}
