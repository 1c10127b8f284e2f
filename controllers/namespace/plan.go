package namespace

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/client"
)

// content is what a namespace holds of one kind.
type content struct {
	resource schema.GroupResource
	table    string // empty: an aggregated API server keeps it
	objects  []client.Object
}

// rest is what keeps a namespace from going.
type rest struct {
	contents []content
	failures []error                       // of what was to be deleted
	unknown  map[schema.GroupVersion]error // versions that nobody can tell about
}

func (r *rest) gone() bool { return r.count() == 0 && len(r.failures) == 0 && len(r.unknown) == 0 }

func (r *rest) count() (sum int) {
	for _, c := range r.contents {
		sum += len(c.objects)
	}
	return sum
}

// podsOf are the pods among contents, if there are any.
func podsOf(all []content) []content {
	if i := slices.IndexFunc(all, func(c content) bool { return c.table == "pods" && len(c.objects) > 0 }); i >= 0 {
		return all[i : i+1]
	}
	return nil
}

// toDelete are the objects to delete now: pods first, and all the rest when the last pod has gone, so that nothing a
// running pod uses is taken from it (KEP-5080).
func toDelete(all []content) []client.Ref {
	if pods := podsOf(all); pods != nil {
		all = pods
	}
	var refs []client.Ref
	for _, c := range all {
		for _, obj := range c.objects {
			if obj.GetDeletionTimestamp() == nil {
				refs = append(refs, client.RefOf(c.table, obj))
			}
		}
	}
	return refs
}

// conditions say what the deletion of a namespace waits for; their texts are upstream's.
func conditions(current []corev1.NamespaceCondition, left *rest, now time.Time) (next []corev1.NamespaceCondition, changed bool) {
	next = slices.Clone(current)
	for _, wanted := range []corev1.NamespaceCondition{
		discoveryCondition(left.unknown),
		ok(corev1.NamespaceDeletionGVParsingFailure, "ParsedGroupVersions", "All legacy kube types successfully parsed"),
		deletionCondition(left.failures),
		remainingCondition(left.contents),
		finalizersCondition(left.contents),
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

func discoveryCondition(unknown map[schema.GroupVersion]error) corev1.NamespaceCondition {
	if len(unknown) == 0 {
		return ok(corev1.NamespaceDeletionDiscoveryFailure, "ResourcesDiscovered", "All resources successfully discovered")
	}
	var texts []string
	for version, err := range unknown {
		texts = append(texts, fmt.Sprintf("%v: %v", version, err))
	}
	slices.Sort(texts)
	return bad(corev1.NamespaceDeletionDiscoveryFailure, "DiscoveryFailed",
		fmt.Sprintf("Discovery failed for some groups, %d failing: unable to retrieve the complete list of server APIs: %s", len(unknown), strings.Join(texts, ", ")))
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
			texts = append(texts, fmt.Sprintf("%s.%s has %d resource instances", c.resource.Resource, c.resource.Group, len(c.objects)))
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
