package pod

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The annotations by which static pods, and what shows them in the API, are known.
const (
	AnnotationSource = "kubernetes.io/config.source" // "file"
	AnnotationHash   = "kubernetes.io/config.hash"   // the static pod's uid
	AnnotationSeen   = "kubernetes.io/config.seen"   // when the node read it first
	annotationMirror = v1.MirrorPodAnnotationKey     // on what shows it in the API: its uid
)

// SystemCritical is the least priority of the classes that the system keeps for itself.
const SystemCritical = 2_000_000_000

// IsStatic says whether a pod is the node's own. Annotations can be written by anyone; what comes from the API has a version.
func IsStatic(p *v1.Pod) bool {
	return p.ResourceVersion == "" && p.Annotations[AnnotationSource] == "file"
}

// MirrorOf returns the uid of the static pod that a pod of the API shows, "" when it is a pod like others.
func MirrorOf(p *v1.Pod) types.UID { return types.UID(p.Annotations[annotationMirror]) }

// IsMirror says whether a pod of the API only shows one of a node's own.
func IsMirror(p *v1.Pod) bool {
	_, mirror := p.Annotations[annotationMirror]
	return mirror
}

// Mirror is what shows a static pod in the API; the node owns it.
func Mirror(static *v1.Pod, owner types.UID) *v1.Pod {
	m, controller := static.DeepCopy(), true
	m.UID, m.Status = "", v1.PodStatus{}
	m.Annotations[annotationMirror] = string(static.UID)
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: static.Spec.NodeName, UID: owner, Controller: &controller}}
	return m
}
