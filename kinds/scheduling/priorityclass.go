package scheduling

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

const (
	// HighestUserDefinablePriority is the most that a class may give that is not the system's.
	HighestUserDefinablePriority int32 = 1_000_000_000
	// SystemCriticalPriority is where the priorities of the system's own pods begin.
	SystemCriticalPriority = 2 * HighestUserDefinablePriority

	systemPrefix = "system-"
)

// PriorityClass is the row of priorityclasses.
func PriorityClass() *resource.Resource {
	return &resource.Resource{
		Group: schedulingv1.GroupName, Version: "v1", Name: "priorityclasses", Singular: "priorityclass", Kind: "PriorityClass",
		ShortNames:               []string{"pc"},
		New:                      func() resource.Object { return &schedulingv1.PriorityClass{} },
		NewList:                  func() runtime.Object { return &schedulingv1.PriorityClassList{} },
		Default:                  resource.Do(defaultPriorityClass),
		PrepareCreate:            resource.Do(func(class *schedulingv1.PriorityClass) { class.Generation = 1 }),
		Validate:                 resource.Typed(validatePriorityClass),
		ChecksNameOnce:           true,
		ValidateUpdate:           resource.Typed2(validatePriorityClassUpdate),
		AllowUnconditionalUpdate: true,
		Columns:                  priorityClassColumns(),
		Row: resource.Typed(func(class *schedulingv1.PriorityClass) []any {
			policy := ""
			if class.PreemptionPolicy != nil {
				policy = string(*class.PreemptionPolicy)
			}
			return []any{class.Name, int64(class.Value), class.GlobalDefault, meta.Since(class.CreationTimestamp), policy}
		}),
	}
}

// SystemClasses are the classes that every cluster has. They are made at start, and again if they are deleted.
func SystemClasses() []*schedulingv1.PriorityClass {
	return []*schedulingv1.PriorityClass{
		{
			ObjectMeta:  metav1.ObjectMeta{Name: "system-node-critical"},
			Value:       SystemCriticalPriority + 1000,
			Description: "Used for system critical pods that must not be moved from their current node.",
		},
		{
			ObjectMeta:  metav1.ObjectMeta{Name: "system-cluster-critical"},
			Value:       SystemCriticalPriority,
			Description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
		},
	}
}

func priorityClassColumns() []resource.Column {
	doc := schedulingv1.PriorityClass{}.SwaggerDoc()
	return []resource.Column{
		meta.Name(),
		meta.Number("Value", doc["value"]),
		{Name: "Global-Default", Type: "boolean", Description: doc["globalDefault"]},
		meta.Age(),
		meta.Column("PreemptionPolicy", doc["preemptionPolicy"]),
	}
}

func defaultPriorityClass(class *schedulingv1.PriorityClass) {
	if class.PreemptionPolicy == nil {
		class.PreemptionPolicy = new(corev1.PreemptLowerPriority)
	}
}

func validatePriorityClass(class *schedulingv1.PriorityClass) field.ErrorList {
	var errs field.ErrorList
	if strings.HasPrefix(class.Name, systemPrefix) {
		if wrong := notSystem(class); wrong != "" {
			errs = append(errs, field.Forbidden(field.NewPath("metadata", "name"),
				"priority class names with '"+systemPrefix+"' prefix are reserved for system use only. error: "+wrong))
		}
	} else if class.Value > HighestUserDefinablePriority {
		errs = append(errs, field.Forbidden(field.NewPath("value"),
			fmt.Sprintf("maximum allowed value of a user defined priority is %v", HighestUserDefinablePriority)))
	}
	path := field.NewPath("preemptionPolicy")
	switch policy := class.PreemptionPolicy; {
	case policy == nil || *policy == corev1.PreemptLowerPriority || *policy == corev1.PreemptNever:
	case *policy == "":
		errs = append(errs, field.Required(path, ""))
	default:
		errs = append(errs, field.NotSupported(path, *policy, []corev1.PreemptionPolicy{corev1.PreemptLowerPriority, corev1.PreemptNever}))
	}
	return errs
}

// notSystem says how a class differs from the system's of that name, or "".
func notSystem(class *schedulingv1.PriorityClass) string {
	for _, known := range SystemClasses() {
		switch {
		case known.Name != class.Name:
		case known.Value != class.Value:
			return fmt.Sprintf("value of %v PriorityClass must be %v", known.Name, known.Value)
		case known.GlobalDefault != class.GlobalDefault:
			return fmt.Sprintf("globalDefault of %v PriorityClass must be %v", known.Name, known.GlobalDefault)
		default:
			return ""
		}
	}
	return fmt.Sprintf("%v is not a known system priority class", class.Name)
}

func validatePriorityClassUpdate(class, old *schedulingv1.PriorityClass) field.ErrorList {
	var errs field.ErrorList
	if class.Value != old.Value {
		errs = append(errs, field.Forbidden(field.NewPath("value"), "may not be changed in an update."))
	}
	return append(errs, validation.ValidateImmutableField(class.PreemptionPolicy, old.PreemptionPolicy, field.NewPath("preemptionPolicy"))...)
}
