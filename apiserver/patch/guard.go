package patch

import (
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

// Operations applies a JSON patch. Every use of the library goes through it or through merge, for there are patches at which it
// panics, such as one that replaces all by nothing.
func Operations(patch jsonpatch.Patch, before []byte) (after []byte, err error) {
	return guarded(func() ([]byte, error) { return patch.Apply(before) })
}

// merge applies a merge patch.
func merge(before, body []byte) ([]byte, error) {
	if err := checkDepth(body); err != nil {
		return nil, err
	}
	return guarded(func() ([]byte, error) { return jsonpatch.MergePatch(before, body) })
}

func guarded(apply func() ([]byte, error)) (after []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the library that applies patches failed: %v", jsonpatch.ErrBadJSONPatch, p)
		}
	}()
	return apply()
}
