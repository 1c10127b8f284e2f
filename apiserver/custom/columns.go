package custom

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/util/jsonpath"

	"proa/kinds/meta"
	"proa/kinds/resource"
)

// column is a column behind the name.
type column struct {
	kind string
	path *jsonpath.JSONPath
}

// columnsOf are what kubectl get shows. Columns behind one that cannot be read are left out, as upstream's are.
func columnsOf(definitions []apiextensionsv1.CustomResourceColumnDefinition) ([]resource.Column, func(resource.Object) []any) {
	if len(definitions) == 0 {
		definitions = []apiextensionsv1.CustomResourceColumnDefinition{{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp",
			Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"]}}
	}
	shown := []resource.Column{meta.Name()}
	var columns []column
	for _, d := range definitions {
		path := jsonpath.New(d.Name)
		if path.Parse("{"+d.JSONPath+"}") != nil {
			break
		}
		path.AllowMissingKeys(true)
		description := d.Description
		if description == "" {
			description = "Custom resource definition column (in JSONPath format): " + d.JSONPath
		}
		columns = append(columns, column{d.Type, path})
		shown = append(shown, resource.Column{Name: d.Name, Type: d.Type, Format: d.Format, Description: description, Priority: d.Priority})
	}
	return shown, func(obj resource.Object) []any {
		u := obj.(*unstructured.Unstructured)
		cells := []any{u.GetName()}
		for _, c := range columns {
			cells = append(cells, c.cell(u.Object))
		}
		return cells
	}
}

// cell is empty where there is nothing, or something of another type than the column's.
func (c column) cell(content map[string]any) any {
	found, err := c.path.FindResults(content)
	if err != nil || len(found) == 0 || len(found[0]) == 0 {
		return nil
	}
	value := found[0][0].Interface()
	switch c.kind {
	case "string":
		var text bytes.Buffer
		if c.path.PrintResults(&text, []reflect.Value{reflect.ValueOf(value)}) != nil {
			return nil
		}
		return text.String()
	case "integer":
		switch n := value.(type) {
		case int64:
			return n
		case float64:
			return int64(n)
		}
	case "number":
		switch n := value.(type) {
		case int64:
			return float64(n)
		case float64:
			return n
		}
	case "boolean":
		if b, ok := value.(bool); ok {
			return b
		}
	case "date":
		if text, ok := value.(string); ok {
			var at metav1.Time
			if at.UnmarshalQueryParameter(text) != nil {
				return "<invalid>"
			}
			return meta.Since(at)
		}
	}
	return nil
}

// fieldsOf are the fields that may be selected by, under their paths without the dot in front.
func fieldsOf(selectable []apiextensionsv1.SelectableField) (labels []string, values func(resource.Object) fields.Set) {
	if len(selectable) == 0 {
		return nil, nil
	}
	paths := map[string]*jsonpath.JSONPath{}
	for _, s := range selectable {
		path := jsonpath.New("selectableField")
		if path.Parse("{"+s.JSONPath+"}") != nil {
			continue
		}
		path.AllowMissingKeys(true)
		label := strings.TrimPrefix(s.JSONPath, ".")
		labels, paths[label] = append(labels, label), path
	}
	return labels, func(obj resource.Object) fields.Set {
		set := fields.Set{}
		for label, path := range paths {
			set[label] = ""
			found, err := path.FindResults(obj.(*unstructured.Unstructured).Object)
			if err == nil && len(found) == 1 && len(found[0]) == 1 {
				if value := found[0][0].Interface(); value != nil {
					set[label] = fmt.Sprint(value)
				}
			}
		}
		return set
	}
}
