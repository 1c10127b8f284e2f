package meta

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// SameJSON says whether two texts say the same, however they are spelled: patches spell anew what they do not change.
func SameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
