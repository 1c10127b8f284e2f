package apps

import (
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// ControllerRevision is the row of controllerrevisions.
func ControllerRevision() *resource.Resource {
	return &resource.Resource{
		Group: "apps", Version: "v1", Name: "controllerrevisions", Singular: "controllerrevision", Kind: "ControllerRevision",
		Namespaced: true,
		New:        func() resource.Object { return &appsv1.ControllerRevision{} },
		NewList:    func() runtime.Object { return &appsv1.ControllerRevisionList{} },

		Validate:       resource.Typed(validateRevision),
		ValidateUpdate: resource.Typed2(validateRevisionUpdate),
		NameLast:       true,

		AllowUnconditionalUpdate: true,
		Columns: []resource.Column{
			meta.Name(), meta.Column("Controller", "Controller of the object"),
			meta.Column("Revision", appsv1.ControllerRevision{}.SwaggerDoc()["revision"]), meta.Age(),
		},
		Row: resource.Typed(func(r *appsv1.ControllerRevision) []any {
			return []any{r.Name, controllerOf(r), r.Revision, meta.Since(r.CreationTimestamp)}
		}),
	}
}

// controllerOf names the controller as kubectl does: "daemonset.apps/name".
func controllerOf(obj metav1.Object) string {
	owner := metav1.GetControllerOf(obj)
	if owner == nil {
		return "<none>"
	}
	group := schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind()
	return strings.ToLower(group.String()) + "/" + owner.Name
}

func validateRevision(r *appsv1.ControllerRevision) field.ErrorList {
	errs := meta.NotNegative(field.NewPath("revision"), r.Revision)
	var data any
	path := field.NewPath("data")
	if r.Data.Raw == nil {
		return append(errs, field.Required(path, "data is mandatory"))
	}
	if err := json.Unmarshal(r.Data.Raw, &data); err != nil {
		return append(errs, field.Invalid(path, "<value omitted>", fmt.Sprintf("error parsing data: %v", err)))
	}
	if data == nil {
		return append(errs, field.Required(path, "data is mandatory"))
	}
	if _, ok := data.(map[string]any); !ok {
		errs = append(errs, field.Required(path, "data must be a valid JSON object"))
	}
	return errs
}

func validateRevisionUpdate(r, old *appsv1.ControllerRevision) field.ErrorList {
	errs := meta.NotNegative(field.NewPath("revision"), r.Revision)
	if meta.SameJSON(r.Data.Raw, old.Data.Raw) {
		return errs
	}
	return append(errs, validation.ValidateImmutableField(r.Data, old.Data, field.NewPath("data"))...)
}
