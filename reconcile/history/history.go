// Package history says which templates a workload had: the pure half of what the controllers of DaemonSets and
// StatefulSets do with ControllerRevisions. They write what it says; names and labels of a revision are theirs, because
// upstream's differ.
//
// kubectl rollout history and undo read the revisions and compare their data byte by byte, so the form of the data is upstream's.
// All functions are pure.
package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Data is what a revision remembers of a workload: a strategic merge patch that brings its pod template back.
func Data(template *corev1.PodTemplateSpec) ([]byte, error) {
	text, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	fields["$patch"] = "replace"
	return json.Marshal(map[string]any{"spec": map[string]any{"template": fields}})
}

// Template reads the template that a revision remembers.
func Template(revision *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, error) {
	var data struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(revision.Data.Raw, &data); err != nil {
		return nil, err
	}
	return &data.Spec.Template, nil
}

// Sort orders revisions, the oldest first.
func Sort(revisions []*appsv1.ControllerRevision) {
	slices.SortStableFunc(revisions, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision),
			a.CreationTimestamp.Time.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
}

// Equal says whether a revision remembers just that.
func Equal(revision *appsv1.ControllerRevision, data []byte) bool {
	return bytes.Equal(revision.Data.Raw, data)
}

// Split divides revisions into those that remember data, the newest last, and the rest, the oldest first.
func Split(revisions []*appsv1.ControllerRevision, data []byte) (equal, rest []*appsv1.ControllerRevision) {
	sorted := slices.Clone(revisions)
	Sort(sorted)
	for _, revision := range sorted {
		if Equal(revision, data) {
			equal = append(equal, revision)
		} else {
			rest = append(rest, revision)
		}
	}
	return equal, rest
}

// Next is the number of a revision that is newer than all of these.
func Next(revisions []*appsv1.ControllerRevision) int64 {
	var newest int64
	for _, revision := range revisions {
		newest = max(newest, revision.Revision)
	}
	return newest + 1
}
