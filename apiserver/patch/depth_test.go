package patch

import (
	"strings"
	"testing"
)

func TestDepth(t *testing.T) {
	for body, want := range map[string]int{``: 0, `1`: 0, `{}`: 1, `{"a":[{}]}`: 3, `["[[[[", "\"{{", [1], [2]]`: 2, `}}{`: 0} {
		if got := depth([]byte(body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	deep := strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000)
	if err := checkDepth([]byte(deep)); err == nil {
		t.Error("a patch that takes half a minute was let in")
	}
	wide := `{"a":{"b":"` + strings.Repeat("{", 3<<20) + `"}}`
	if err := checkDepth([]byte(wide)); err != nil {
		t.Errorf("a long patch: %v", err)
	}
}
