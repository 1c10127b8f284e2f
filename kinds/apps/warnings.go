package apps

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// warnings are those of a kind whose pods are named after it: about its name when it is new, about its pod template when
// it is new or was changed.
func warnings[T resource.Object](template func(T) *corev1.PodTemplateSpec) func(obj, old resource.Object) []string {
	return func(obj, old resource.Object) []string {
		var list []string
		if old == nil {
			if messages := utilvalidation.IsDNS1123Label(obj.GetName()); len(messages) > 0 {
				list = append(list, fmt.Sprintf("metadata.name: this is used in Pod names and hostnames, "+
					"which can result in surprising behavior; a DNS label is recommended: %v", messages))
			}
		} else if obj.GetGeneration() == old.GetGeneration() {
			return nil
		}
		return append(list, podspec.TemplateWarnings(template(obj.(T)), field.NewPath("spec", "template"))...)
	}
}
