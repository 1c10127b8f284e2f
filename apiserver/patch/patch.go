package patch

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// Patch is a change that a client described.
type Patch struct {
	Kind        types.PatchType
	Body        []byte
	Version     *encode.Version // of the object that the patch is written for
	Validation  string          // fieldValidation; "" is Warn
	Manager     string
	Force       bool // apply only: take fields from other managers
	Subresource string
	Name        string
	Warn        func(string)
}

func (p *Patch) checks() bool { return p.Validation != metav1.FieldValidationIgnore }

// strict hands the strict errors of a body to the client: as an error, or as warnings.
func (p *Patch) strict(errs []error) (fatal []error) {
	if len(errs) == 0 || !p.checks() {
		return nil
	}
	if p.Validation == metav1.FieldValidationStrict {
		return errs
	}
	for _, err := range errs {
		p.Warn(err.Error())
	}
	return nil
}

// Apply makes a new object of the stored version: old with the patch. old is shared and not changed; it is nil when
// an apply patch is to create the object. Only apply patches change the ownership of fields here; for the others the
// caller does with Update.
func (f *Fields) Apply(p *Patch, old resource.Object, now time.Time) (resource.Object, error) {
	if p.Kind == types.ApplyPatchType {
		return f.apply(p, old, now)
	}
	shown, err := p.Version.FromStored(old)
	if err != nil {
		return nil, err
	}
	obj, err := f.patched(p, shown)
	if err != nil {
		return nil, err
	}
	return p.Version.ToStored(obj)
}

func (f *Fields) patched(p *Patch, shown resource.Object) (resource.Object, error) {
	switch p.Kind {
	case types.JSONPatchType:
		return patchJSON(p, shown)
	case types.MergePatchType:
		if p.Version.Resource.Custom != nil {
			return patchJSON(p, shown)
		}
		if obj := f.patchNamed(p, shown); obj != nil {
			return obj, nil
		}
		return patchJSON(p, shown)
	case types.StrategicMergePatchType:
		if obj := f.patchNamed(p, shown); obj != nil {
			return obj, nil
		}
		return patchStrategic(p, shown)
	}
	return nil, apierrors.NewBadRequest(fmt.Sprintf("%v: unimplemented patch type", p.Kind))
}
