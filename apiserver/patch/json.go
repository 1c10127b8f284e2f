package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	syncatomic "sync/atomic"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// maxOperations of one JSON patch, as upstream's.
const maxOperations = 10000

// maxCopied is how much the copies in one JSON patch may add to an object, as upstream's: copies of copies grow without end.
const maxCopied = 3 << 20

// limitCopies sets the limit, which is the library's own and the process's. It must be called before patches are applied.
func limitCopies() { syncatomic.CompareAndSwapInt64(&jsonpatch.AccumulatedCopySizeLimit, 0, maxCopied) }

// operation is one step of a JSON patch, to find unknown and repeated fields.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from"`
	Value any    `json:"value"`
}

// patchJSON applies a JSON patch or a merge patch to the object's JSON.
func patchJSON(p *Patch, shown resource.Object) (resource.Object, error) {
	before, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", shown, err)
	}
	apply := mergePatch
	if p.Kind == types.JSONPatchType {
		apply = operations
	}
	after, strict, err := apply(p, before)
	if err != nil {
		return nil, err
	}
	obj := p.Version.New()
	more, err := kjson.UnmarshalStrict(after, obj)
	if changed := changedType(p, obj, after); changed != nil {
		return nil, changed
	}
	if err != nil {
		return nil, invalidPatch(after, err)
	}
	strict, err = p.Version.Admit(obj, append(strict, more...), encode.Validation(p.Validation))
	if err != nil {
		return nil, invalidPatch(after, err)
	}
	if fatal := p.strict(strict); fatal != nil {
		return nil, invalidPatch(after, runtime.NewStrictDecodingError(fatal))
	}
	return obj, nil
}

func invalidPatch(after []byte, err error) error {
	return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
		field.Invalid(field.NewPath("patch"), string(after), err.Error())})
}

// changedType refuses a patch that makes another kind of the object; one that takes the type away is none. Of custom kinds
// only a type that cannot be read is refused here: their rules compare it.
func changedType(p *Patch, obj resource.Object, after []byte) error {
	want := p.Version.Kind
	got := obj.GetObjectKind().GroupVersionKind()
	if got == want {
		return nil
	}
	var named struct {
		APIVersion string `json:"apiVersion,omitempty"`
		Kind       string `json:"kind,omitempty"`
	}
	if err := json.Unmarshal(after, &named); err != nil {
		return invalidPatch(after, fmt.Errorf("couldn't get version/kind; json parse error: %w", err))
	}
	if _, err := schema.ParseGroupVersion(named.APIVersion); err != nil {
		return invalidPatch(after, err)
	}
	if p.Version.Resource.Custom != nil {
		return nil
	}
	if named.APIVersion == "" {
		if named.Kind != "" && !encode.Recognizes(want.GroupVersion().WithKind(named.Kind)) {
			got = schema.GroupVersionKind{Group: want.Group, Version: runtime.APIVersionInternal, Kind: named.Kind}
			return invalidPatch(after, encode.OtherType(got, want))
		}
		return unversioned(p, after)
	}
	if named.Kind == "" {
		named.Kind = want.Kind
	}
	if got = schema.FromAPIVersionAndKind(named.APIVersion, named.Kind); got != want {
		return invalidPatch(after, encode.OtherType(got, want))
	}
	obj.GetObjectKind().SetGroupVersionKind(want)
	return nil
}

// unversioned refuses a patch that takes the version away. Upstream reads what is left as its internal type then, whose fields
// have other names: it knows none of them, and misses the first that it needs.
func unversioned(p *Patch, after []byte) error {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(after, &fields); err != nil {
		return invalidPatch(after, err)
	}
	var unknown []error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "kind" && name != "apiVersion" {
			unknown = append(unknown, fmt.Errorf("unknown field %q", name))
		}
	}
	if fatal := p.strict(unknown); fatal != nil {
		return invalidPatch(after, runtime.NewStrictDecodingError(fatal))
	}
	return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s based on URL) was undeterminable: name must be provided", p.Name))
}

func operations(p *Patch, before []byte) (after []byte, strict []error, err error) {
	if p.checks() {
		var ops []operation
		if strict, err = kjson.UnmarshalStrict(p.Body, &ops); err != nil {
			return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
		}
		for i, e := range strict {
			strict[i] = fmt.Errorf("json patch %w", e)
		}
	}
	ops, err := jsonpatch.DecodePatch(p.Body)
	if err != nil {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	if len(ops) > maxOperations {
		return nil, nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf(
			"The allowed maximum operations in a JSON patch is %d, got %d", maxOperations, len(ops)))
	}
	after, err = Operations(ops, before)
	if err != nil {
		return nil, nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return after, strict, nil
}

func mergePatch(p *Patch, before []byte) (after []byte, strict []error, err error) {
	if p.checks() {
		fields := map[string]any{}
		if strict, err = kjson.UnmarshalStrict(p.Body, &fields); err != nil {
			return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
		}
	}
	after, err = merge(before, p.Body)
	if errors.Is(err, jsonpatch.ErrBadJSONPatch) {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	return after, strict, err
}
