package verbs

import (
	"context"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
)

// Observed yields objects that are seen, not stored, such as what pods use: those of a namespace ("" means all), or the one
// of that name.
type Observed func(ctx context.Context, r *resource.Resource, namespace, name string) ([]resource.Object, error)

func (v *Verbs) serveObserved(w http.ResponseWriter, c *call) error {
	objects, err := v.Observed(c.raw.Context(), c.Version.Resource, c.Namespace, c.Name)
	if err != nil {
		return err
	}
	if c.Name != "" {
		if len(objects) == 0 {
			return notFound(&c.Request)
		}
		return c.respond(v).Object(w, http.StatusOK, c.Version, objects[0])
	}
	opts, err := listOptions(c.query())
	if err != nil {
		return err
	}
	pick, err := parseSelector(c.Version, opts.LabelSelector, opts.FieldSelector, "")
	if err != nil {
		return err
	}
	var items []runtime.Object
	for _, obj := range objects {
		if pick.labels == nil || pick.labels.Matches(labels.Set(obj.GetLabels())) {
			items = append(items, obj)
		}
	}
	list := c.Version.NewList()
	if err := meta.SetList(list, items); err != nil {
		return err
	}
	gvk := c.Version.Kind
	gvk.Kind += "List"
	list.GetObjectKind().SetGroupVersionKind(gvk)
	return c.respond(v).Body(w, http.StatusOK, list)
}
