package deployment

import (
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Annotations by which deployments and their replica sets are numbered and sized; kubectl rollout reads them.
const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	historyAnnotation  = "deployment.kubernetes.io/revision-history"
	desiredAnnotation  = "deployment.kubernetes.io/desired-replicas"
	maximumAnnotation  = "deployment.kubernetes.io/max-replicas"
)

// maxHistoryLength bounds the value of historyAnnotation, in bytes.
const maxHistoryLength = 2000

// revisionOf is the number of a replica set, 0 if it has none.
func revisionOf(rs *appsv1.ReplicaSet) int64 {
	revision, err := strconv.ParseInt(rs.Annotations[revisionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return revision
}

func newestRevision(list []*appsv1.ReplicaSet) (newest int64) {
	for _, rs := range list {
		newest = max(newest, revisionOf(rs))
	}
	return newest
}

// syncRevision gives the new replica set, if there is one, the highest number, and the deployment that number. kubectl
// rollout undo writes an earlier template into the deployment: its replica set becomes the new one again, and here gets a
// new number.
func (r *rollout) syncRevision() {
	if r.new == nil {
		return
	}
	annotate(r.d, r.new, newestRevision(r.old)+1)
	r.new.Spec.MinReadySeconds = r.d.Spec.MinReadySeconds
	r.setRevision(r.new)
	if hasDeadline(r.d) && condition(&r.d.Status, appsv1.DeploymentProgressing) == nil {
		r.setCondition(&r.d.Status, appsv1.DeploymentProgressing, corev1.ConditionTrue,
			"FoundNewReplicaSet", fmt.Sprintf("Found new replica set %q", r.new.Name))
	}
}

func (r *rollout) setRevision(rs *appsv1.ReplicaSet) {
	if r.d.Annotations == nil {
		r.d.Annotations = map[string]string{}
	}
	r.d.Annotations[revisionAnnotation] = rs.Annotations[revisionAnnotation]
}

// annotate gives a replica set the deployment's annotations and, unless it has a higher one, the revision.
func annotate(d *appsv1.Deployment, rs *appsv1.ReplicaSet, revision int64) {
	if rs.Annotations == nil {
		rs.Annotations = map[string]string{}
	}
	for key, value := range d.Annotations {
		if inherited(key) {
			rs.Annotations[key] = value
		}
	}
	had := rs.Annotations[revisionAnnotation]
	if _, err := strconv.ParseInt(had, 10, 64); had != "" && err != nil {
		return // someone else's idea of a revision: leave it
	}
	if revisionOf(rs) >= revision {
		return
	}
	rs.Annotations[revisionAnnotation] = strconv.FormatInt(revision, 10)
	if had != "" {
		appendHistory(rs, had)
	}
}

// appendHistory notes a number that a replica set had, dropping the oldest ones when the list becomes too long.
func appendHistory(rs *appsv1.ReplicaSet, revision string) {
	history := rs.Annotations[historyAnnotation]
	if history == "" {
		rs.Annotations[historyAnnotation] = revision
		return
	}
	list := append(strings.Split(history, ","), revision)
	for len(list) > 1 && len(strings.Join(list, ",")) > maxHistoryLength {
		list = list[1:]
	}
	rs.Annotations[historyAnnotation] = strings.Join(list, ",")
}

// inherited says whether replica sets take over an annotation of their deployment.
func inherited(key string) bool {
	switch key {
	case corev1.LastAppliedConfigAnnotation, revisionAnnotation, historyAnnotation, desiredAnnotation,
		maximumAnnotation, appsv1.DeprecatedRollbackTo:
		return false
	}
	return true
}

// noteReplicas writes down the deployment's size on a replica set, so that a later change of it is noticed.
func (r *rollout) noteReplicas(rs *appsv1.ReplicaSet) {
	if rs.Annotations == nil {
		rs.Annotations = map[string]string{}
	}
	rs.Annotations[desiredAnnotation] = strconv.Itoa(int(*r.d.Spec.Replicas))
	rs.Annotations[maximumAnnotation] = strconv.Itoa(int(*r.d.Spec.Replicas + maxSurge(r.d)))
}

// noted reads a number that noteReplicas wrote; ok is false when there is none that makes sense.
func noted(rs *appsv1.ReplicaSet, key string) (count int32, ok bool) {
	n, err := strconv.ParseInt(rs.Annotations[key], 10, 32)
	return int32(n), err == nil && n >= 0
}
