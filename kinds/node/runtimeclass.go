// Package node holds the rules of RuntimeClass: what it refuses, what kubectl shows.
//
// It decides and does nothing on its own: every function is pure and is called through the row of its kind, by the API
// server for each write and by whoever prints a table. It needs nothing that could be gone.
package node

import (
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"proa/kinds/meta"
	"proa/kinds/podspec"
	"proa/kinds/resource"
)

// RuntimeClass is the row of runtimeclasses. What they do to pods is an admission step of the API server.
func RuntimeClass() *resource.Resource {
	return &resource.Resource{
		Group: nodev1.GroupName, Version: "v1", Name: "runtimeclasses", Singular: "runtimeclass", Kind: "RuntimeClass",
		New:          func() resource.Object { return &nodev1.RuntimeClass{} },
		NewList:      func() runtime.Object { return &nodev1.RuntimeClassList{} },
		AnyFinalizer: true,
		Validate:     resource.Typed(validate),
		ValidateUpdate: resource.Typed2(func(c, old *nodev1.RuntimeClass) field.ErrorList {
			return append(validate(c), validation.ValidateImmutableField(c.Handler, old.Handler, field.NewPath("handler"))...)
		}),
		Warnings:                 func(obj, _ resource.Object) []string { return warnings(obj.(*nodev1.RuntimeClass)) },
		AllowCreateOnUpdate:      true,
		AllowUnconditionalUpdate: false,
		Columns:                  []resource.Column{meta.Name(), meta.Column("Handler", metav1.ObjectMeta{}.SwaggerDoc()["handler"]), meta.Age()},
		Row:                      resource.Typed(func(c *nodev1.RuntimeClass) []any { return []any{c.Name, c.Handler, meta.Since(c.CreationTimestamp)} }),
	}
}

func warnings(c *nodev1.RuntimeClass) []string {
	if c.Scheduling == nil {
		return nil
	}
	var list []string
	for _, key := range meta.Sorted(c.Scheduling.NodeSelector) {
		if text := meta.OldNodeLabel(key); text != "" {
			list = append(list, field.NewPath("scheduling", "nodeSelector").String()+": "+text)
		}
	}
	return list
}

func validate(c *nodev1.RuntimeClass) field.ErrorList {
	var errs field.ErrorList
	if c.Handler == "" {
		errs = append(errs, field.Required(field.NewPath("handler"), ""))
	} else {
		errs = append(errs, meta.Each(field.NewPath("handler"), c.Handler, validation.NameIsDNSLabel(c.Handler, false))...)
	}
	if c.Overhead != nil {
		errs = append(errs, podspec.ValidateOverhead(c.Overhead.PodFixed, field.NewPath("overhead"))...)
	}
	if c.Scheduling != nil {
		path := field.NewPath("scheduling")
		errs = append(errs, metav1validation.ValidateLabels(c.Scheduling.NodeSelector, path.Child("nodeSelector"))...)
		errs = append(errs, podspec.ValidateTolerations(c.Scheduling.Tolerations, path.Child("tolerations"))...)
		errs = append(errs, distinct(c, path.Child("tolerations"))...)
	}
	return errs
}

// distinct wants each toleration once, however long it holds.
func distinct(c *nodev1.RuntimeClass, path *field.Path) field.ErrorList {
	type key struct{ key, operator, value, effect string }
	seen := map[key]bool{}
	var errs field.ErrorList
	for i, t := range c.Scheduling.Tolerations {
		k := key{t.Key, string(t.Operator), t.Value, string(t.Effect)}
		if seen[k] {
			errs = append(errs, field.Duplicate(path.Index(i), t))
		}
		seen[k] = true
	}
	return errs
}
