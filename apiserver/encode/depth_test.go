package encode

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name string
		body string
		want int
	}{
		{"nothing", "", 0},
		{"a number", "\x08\x01", 0},
		{"one in one", "\x0a\x02\x0a\x00", 1},
		{"a text that is no message", "\x0a\x03abc", 1},
		{"fixed sizes", "\x09ABCDEFGH\x0dABCD\x0a\x00", 0},
		{"in a group", "\x0b\x0a\x02\x0a\x00\x0c", 1},
		{"a number of more bits than there are", "\x8a\x80\x80\x80\x80\x80\x80\x80\x80\x7e\x02\x0a\x00", 1},
		{"longer than what is there", "\x0a\x05\x0a\x00", 0},
		{"a broken one beside a deep one", "\x0a\x02\xff\xff\x0a\x04\x0a\x02\x0a\x00", 2},
	} {
		if got := levels([]byte(c.body)); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if !holdsItself(reflect.TypeFor[apiextensionsv1.CustomResourceDefinition](), nil) || holdsItself(reflect.TypeFor[corev1.Pod](), nil) {
		t.Error("definitions hold schemas that hold schemas, and pods hold no pods")
	}
}
