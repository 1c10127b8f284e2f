package admit

import (
	"fmt"
	"slices"
)

// required are the steps that are no plug-in of upstream's, but what its storage and its authorization do: none is left out.
var required = []string{"ServiceAddresses", "PrivilegeEscalation", "PolicyParameters"}

// without leaves out the steps of these names.
func without(disabled []string, steps []Step) ([]Step, error) {
	for _, name := range disabled {
		if slices.Contains(required, name) || !slices.ContainsFunc(steps, func(s Step) bool { return s.Name == name }) {
			return nil, fmt.Errorf("leave out admission steps: there is no plug-in %q to disable", name)
		}
	}
	return slices.DeleteFunc(steps, func(s Step) bool { return slices.Contains(disabled, s.Name) }), nil
}
