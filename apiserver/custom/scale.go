package custom

import (
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"proa/kinds/resource"
)

// steps of a path such as ".spec.replicas".
func steps(path string) []string { return strings.Split(strings.TrimPrefix(path, "."), ".") }

// scaleOf maps objects to Scale by the paths of the definition. What is at a path has been validated.
func scaleOf(s *apiextensionsv1.CustomResourceSubresourceScale) *resource.Scale {
	spec, status := steps(s.SpecReplicasPath), steps(s.StatusReplicasPath)
	return &resource.Scale{
		SpecPath: s.SpecReplicasPath, StatusPath: s.StatusReplicasPath,
		Get: func(obj resource.Object) (replicas, current int32, selector string) {
			content := obj.(*unstructured.Unstructured).Object
			wanted, _, _ := unstructured.NestedInt64(content, spec...)
			have, _, _ := unstructured.NestedInt64(content, status...)
			if s.LabelSelectorPath != nil && *s.LabelSelectorPath != "" {
				selector, _, _ = unstructured.NestedString(content, steps(*s.LabelSelectorPath)...)
			}
			return int32(wanted), int32(have), selector
		},
		Set: func(obj resource.Object, replicas int32) {
			setNested(obj.(*unstructured.Unstructured).Object, int64(replicas), spec)
		},
		Check: func(obj resource.Object) error {
			_, found, err := unstructured.NestedInt64(obj.(*unstructured.Unstructured).Object, spec...)
			if err == nil && !found {
				return apierrors.NewInternalError(fmt.Errorf("the spec replicas field %q does not exist", s.SpecReplicasPath))
			}
			return err
		},
	}
}

// setNested sets a field, and replaces on the way to it what is no object.
func setNested(content map[string]any, value any, path []string) {
	for _, step := range path[:len(path)-1] {
		inner, ok := content[step].(map[string]any)
		if !ok {
			inner = map[string]any{}
			content[step] = inner
		}
		content = inner
	}
	content[path[len(path)-1]] = value
}
