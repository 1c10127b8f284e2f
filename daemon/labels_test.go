package daemon

import (
	"strings"
	"testing"
)

func TestLabelsOfNodes(t *testing.T) {
	for _, c := range []struct{ key, value, wrong string }{
		{"topology.kubernetes.io/zone", "east", ""},
		{"example.com/disk", "fast", ""},
		{"node-restriction.kubernetes.io/team", "a", "kubectl label node"},
		{"node-role.kubernetes.io/control-plane", "", "kubectl label node"},
		{"a b", "c", "label a b=c: "},
		{"a", "b/c", "label a=b/c: "},
	} {
		err := checkLabels(map[string]string{c.key: c.value})
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s=%s: %v, expected %q", c.key, c.value, err, c.wrong)
		}
	}
}
