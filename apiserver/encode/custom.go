package encode

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"proa/kinds/resource"
	"proa/store"
)

// Objects of custom kinds are stored as JSON, in the version that was the definition's storage version when they were
// written. They are decoded as they are stored, so that this needs no definition. What a client sees of one is made by the
// row that it asks through, which may drop fields, set defaults, or call a webhook; its JSON is kept beside the item, marked
// with the row's epoch.

// isCustom tells JSON from protobuf, of which no message of the API begins so.
func isCustom(data []byte) bool { return len(data) > 0 && data[0] == '{' }

func customToStore(u *unstructured.Unstructured) ([]byte, error) {
	data, err := json.Marshal(u.Object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", u.GroupVersionKind(), err)
	}
	return data, nil
}

func decodeCustom(item *store.Item) any {
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(item.Data); err != nil {
		return fmt.Errorf("decode %v: %w", item.Key, err)
	}
	u.SetResourceVersion(FormatRevision(item.Revision))
	return u
}

// customForm is where the JSON of a version is kept. Versions may share a place: the epoch tells them apart.
func (v *Version) customForm() store.Form {
	for i, r := range v.Resource.Custom.Versions {
		if r == v.Resource {
			return store.Form(i % store.FormCount)
		}
	}
	return 0
}

func (v *Version) customJSON(item *store.Item) ([]byte, error) {
	return item.EncodedBy(v.customForm(), v.Resource.Custom.Epoch, func(item *store.Item) ([]byte, error) {
		obj, ok := item.Value().(resource.Object)
		if !ok {
			return nil, fmt.Errorf("decode %v: %v", item.Key, item.Value())
		}
		shown, err := v.show([]resource.Object{obj})
		if err != nil {
			return nil, err
		}
		return json.Marshal(shown[0])
	})
}

// show turns stored objects, which are shared, into this version's.
func (v *Version) show(stored []resource.Object) ([]resource.Object, error) {
	mine := make([]resource.Object, len(stored))
	for i, obj := range stored {
		mine[i] = obj.DeepCopyObject().(resource.Object)
	}
	return v.Resource.Custom.Show(mine)
}

// callsOut says whether a webhook is asked to show the object.
func (v *Version) callsOut(obj resource.Object) bool {
	return v.Resource.Custom.CallsOut && obj.GetObjectKind().GroupVersionKind().Version != v.Kind.Version
}

// customObject is the item in this version. What a webhook answered is read from the JSON that is kept of it.
func (v *Version) customObject(item *store.Item, stored resource.Object) (resource.Object, error) {
	if !v.callsOut(stored) {
		shown, err := v.show([]resource.Object{stored})
		if err != nil {
			return nil, err
		}
		return shown[0], nil
	}
	data, err := v.customJSON(item)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("decode %v: %w", item.Key, err)
	}
	return u, nil
}

// Selectable is the item as selectors see it: those that ask for labels alone need not wait for what the schema would add.
func (v *Version) Selectable(item *store.Item, fields bool) (resource.Object, error) {
	obj, ok := item.Value().(resource.Object)
	if !ok {
		return nil, fmt.Errorf("decode %v: %v", item.Key, item.Value())
	}
	if v.Resource.Custom == nil || !fields && !v.callsOut(obj) {
		return obj, nil
	}
	return v.Object(item)
}

// prepare has the webhook convert many items with one call.
func (v *Version) prepare(items []*store.Item) error {
	if v.Resource.Custom == nil || !v.Resource.Custom.CallsOut {
		return nil
	}
	form, epoch := v.customForm(), v.Resource.Custom.Epoch
	var wanted []*store.Item
	var objects []resource.Object
	for _, item := range items {
		obj, ok := item.Value().(resource.Object)
		if ok && v.callsOut(obj) && !item.HasForm(form, epoch) {
			wanted, objects = append(wanted, item), append(objects, obj)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	shown, err := v.show(objects)
	if err != nil {
		return err
	}
	for i, item := range wanted {
		if _, err := item.EncodedBy(form, epoch, func(*store.Item) ([]byte, error) { return json.Marshal(shown[i]) }); err != nil {
			return err
		}
	}
	return nil
}

// Admit drops what the schema of a custom kind has not, and adds it to what is strictly wrong. Objects of other kinds have
// nothing to drop.
func (v *Version) Admit(obj resource.Object, strict []error, validation Validation) ([]error, error) {
	if v.Resource.Custom == nil {
		return strict, nil
	}
	unknown, err := v.Resource.Custom.Admit(obj, validation.strict())
	if err != nil {
		return nil, err
	}
	for _, path := range unknown {
		strict = append(strict, fmt.Errorf("unknown field %q", path))
	}
	return strict, nil
}

// Decode reads a body as an object of this version, which it returns with its warnings.
func (v *Version) Decode(body []byte, f Format, validation Validation) (resource.Object, []string, error) {
	obj := v.New()
	if v.Resource.Custom == nil {
		warnings, err := Decode(body, f, v.Kind, obj, validation)
		return obj, warnings, err
	}
	if f == Protobuf {
		return nil, nil, unsupportedMediaType(mediaTypes[:Protobuf])
	}
	strict, got, err := decodeAny(body, f, v.Kind, obj, validation)
	if err != nil {
		return nil, nil, err
	}
	if strict, err = v.Admit(obj, strict, validation); err != nil {
		return nil, nil, decodeError(err, v.Kind, &got, body)
	}
	if len(strict) > 0 && validation == metav1.FieldValidationStrict {
		return nil, nil, decodeError(runtime.NewStrictDecodingError(strict), v.Kind, &got, body)
	}
	if err := otherVersion(got.GroupVersion(), v.Kind.GroupVersion()); err != nil {
		return nil, nil, err
	}
	var warnings []string
	for _, e := range strict {
		warnings = append(warnings, e.Error())
	}
	return obj, warnings, nil
}
