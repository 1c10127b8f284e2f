package patch

import (
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"proa/kinds/resource"
)

// patchStrategic applies a strategic merge patch, by the merge keys in the tags of the Go types.
func patchStrategic(p *Patch, shown resource.Object) (resource.Object, error) {
	before, err := runtime.DefaultUnstructuredConverter.ToUnstructured(shown)
	if err != nil {
		return nil, fmt.Errorf("convert %T: %w", shown, err)
	}
	fields := map[string]any{}
	strict, err := kjson.UnmarshalStrict(p.Body, &fields)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	after, err := merged(before, fields, p.Version.New())
	if err != nil {
		return nil, strategicError(err)
	}
	obj := p.Version.New()
	err = runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(after, obj, p.checks())
	more, isStrict := runtime.AsStrictDecodingError(err)
	if err != nil && !isStrict {
		return nil, invalidStrategic(fields, err)
	}
	if isStrict {
		strict = append(strict, more.Errors()...)
	}
	if fatal := p.strict(strict); fatal != nil {
		return nil, invalidStrategic(fields, runtime.NewStrictDecodingError(fatal))
	}
	obj.GetObjectKind().SetGroupVersionKind(p.Version.Kind) // whatever the patch says
	return obj, nil
}

// merged merges a patch into an object's fields, both of which it may change. The library takes for granted that lists and
// directives have the form that the type asks for, and panics where a patch has another: the client is told of it.
func merged(before, fields map[string]any, of any) (after map[string]any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = apierrors.NewBadRequest(fmt.Sprintf("the strategic merge patch does not have the form of the object that it is for: %v", p))
		}
	}()
	return strategicpatch.StrategicMergeMapPatch(before, fields, of)
}

func invalidStrategic(fields map[string]any, err error) error {
	return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
		field.Invalid(field.NewPath("patch"), fmt.Sprintf("%+v", fields), err.Error())})
}

// strategicError is 400 for what no patch may hold, 422 for what does not fit the object.
func strategicError(err error) error {
	for _, bad := range []error{mergepatch.ErrBadJSONDoc, mergepatch.ErrBadPatchFormatForPrimitiveList,
		mergepatch.ErrBadPatchFormatForRetainKeys, mergepatch.ErrBadPatchFormatForSetElementOrderList,
		mergepatch.ErrUnsupportedStrategicMergePatchFormat} {
		if errors.Is(err, bad) {
			return apierrors.NewBadRequest(err.Error())
		}
	}
	if errors.Is(err, mergepatch.ErrNoListOfLists) || errors.Is(err, mergepatch.ErrPatchContentNotMatchRetainKeys) {
		return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return err
}
