package namespace

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/client"
	"proa/kinds/resource"
)

// content is what a namespace holds of one kind.
type content struct {
	row     *resource.Resource
	objects []client.Object
}

// toDelete are the objects to delete now: pods first, and all the rest when the last pod has gone, so that nothing a
// running pod uses is taken from it (KEP-5080).
func toDelete(all []content) []client.Ref {
	if i := slices.IndexFunc(all, func(c content) bool { return c.row.Table() == "pods" && len(c.objects) > 0 }); i >= 0 {
		all = all[i : i+1]
	}
	var refs []client.Ref
	for _, c := range all {
		for _, obj := range c.objects {
			if obj.GetDeletionTimestamp() == nil {
				refs = append(refs, client.RefOf(c.row.Table(), obj))
			}
		}
	}
	return refs
}

// conditions say what the deletion of a namespace waits for; their texts are upstream's.
func conditions(current []corev1.NamespaceCondition, left []content, failures []error, now time.Time) (next []corev1.NamespaceCondition, changed bool) {
	next = slices.Clone(current)
	for _, wanted := range []corev1.NamespaceCondition{
		ok(corev1.NamespaceDeletionDiscoveryFailure, "ResourcesDiscovered", "All resources successfully discovered"),
		ok(corev1.NamespaceDeletionGVParsingFailure, "ParsedGroupVersions", "All legacy kube types successfully parsed"),
		deletionCondition(failures),
		remainingCondition(left),
		finalizersCondition(left),
	} {
		changed = set(&next, wanted, now) || changed
	}
	return next, changed
}

func ok(conditionType corev1.NamespaceConditionType, reason, message string) corev1.NamespaceCondition {
	return corev1.NamespaceCondition{Type: conditionType, Status: corev1.ConditionFalse, Reason: reason, Message: message}
}

func bad(conditionType corev1.NamespaceConditionType, reason, message string) corev1.NamespaceCondition {
	return corev1.NamespaceCondition{Type: conditionType, Status: corev1.ConditionTrue, Reason: reason, Message: message}
}

func deletionCondition(failures []error) corev1.NamespaceCondition {
	if len(failures) == 0 {
		return ok(corev1.NamespaceDeletionContentFailure, "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
	}
	texts := make([]string, len(failures))
	for i, err := range failures {
		texts[i] = err.Error()
	}
	slices.Sort(texts)
	return bad(corev1.NamespaceDeletionContentFailure, "ContentDeletionFailed",
		fmt.Sprintf("Failed to delete all resource types, %d remaining: %v", len(failures), strings.Join(texts, ", ")))
}

func remainingCondition(left []content) corev1.NamespaceCondition {
	var texts []string
	for _, c := range left {
		if len(c.objects) > 0 {
			texts = append(texts, fmt.Sprintf("%s.%s has %d resource instances", c.row.Name, c.row.Group, len(c.objects)))
		}
	}
	if len(texts) == 0 {
		return ok(corev1.NamespaceContentRemaining, "ContentRemoved", "All content successfully removed")
	}
	slices.Sort(texts)
	return bad(corev1.NamespaceContentRemaining, "SomeResourcesRemain", "Some resources are remaining: "+strings.Join(texts, ", "))
}

func finalizersCondition(left []content) corev1.NamespaceCondition {
	counts := map[string]int{}
	for _, c := range left {
		for _, obj := range c.objects {
			for _, finalizer := range obj.GetFinalizers() {
				counts[finalizer]++
			}
		}
	}
	var texts []string
	for finalizer, count := range counts {
		texts = append(texts, fmt.Sprintf("%s in %d resource instances", finalizer, count))
	}
	if len(texts) == 0 {
		return ok(corev1.NamespaceFinalizersRemaining, "ContentHasNoFinalizers", "All content-preserving finalizers finished")
	}
	slices.Sort(texts)
	return bad(corev1.NamespaceFinalizersRemaining, "SomeFinalizersRemain",
		"Some content in the namespace has finalizers remaining: "+strings.Join(texts, ", "))
}

// set puts a condition in its place; the time of the transition is kept while the status stays.
func set(list *[]corev1.NamespaceCondition, wanted corev1.NamespaceCondition, now time.Time) (changed bool) {
	wanted.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
	for i := range *list {
		c := &(*list)[i]
		if c.Type != wanted.Type {
			continue
		}
		if c.Status == wanted.Status {
			wanted.LastTransitionTime = c.LastTransitionTime
		}
		changed = c.Status != wanted.Status || c.Reason != wanted.Reason || c.Message != wanted.Message
		*c = wanted
		return changed
	}
	*list = append(*list, wanted)
	return true
}
