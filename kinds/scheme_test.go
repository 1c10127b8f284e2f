package kinds_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"proa/kinds"
)

// Every group that the scheme knows is linked into the program, so none slips in.
func TestSchemeGroups(t *testing.T) {
	datadriven.RunTest(t, "testdata/scheme.txt", func(t *testing.T, d *datadriven.TestData) string {
		scheme := kinds.NewScheme()
		var lines []string
		for _, version := range scheme.PrioritizedVersionsAllGroups() {
			var names []string
			for name := range scheme.KnownTypes(version) {
				names = append(names, name)
			}
			slices.Sort(names)
			lines = append(lines, fmt.Sprintf("%s: %s", version, strings.Join(names, " ")))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	})
}

// Two schemes share nothing: it is a value.
func TestSchemeIsAValue(t *testing.T) {
	one, two := kinds.NewScheme(), kinds.NewScheme()
	if one == two {
		t.Error("NewScheme returns one scheme twice")
	}
}
