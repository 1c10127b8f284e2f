package admit

import (
	"fmt"
	"slices"
)

// required are the steps that are no plug-in of upstream's, but what its storage and its authorization do: none is left out.
var required = []string{"ServiceAddresses", "PrivilegeEscalation", "PolicyParameters"}

// optional are the steps that are taken only where somebody asks for them, as upstream's.
var optional = []string{ownerPermissions}

// chosen leaves out the optional steps that were not asked for, and those that are not wanted.
func chosen(enabled, disabled []string, steps []Step) ([]Step, error) {
	for _, name := range slices.Concat(enabled, disabled) {
		if slices.Contains(required, name) || !slices.ContainsFunc(steps, func(s Step) bool { return s.Name == name }) {
			return nil, fmt.Errorf("choose admission steps: there is no plug-in %q to enable or disable", name)
		}
		if slices.Contains(enabled, name) && slices.Contains(disabled, name) {
			return nil, fmt.Errorf("choose admission steps: plug-in %q is both enabled and disabled", name)
		}
	}
	return slices.DeleteFunc(steps, func(s Step) bool {
		return slices.Contains(disabled, s.Name) || slices.Contains(optional, s.Name) && !slices.Contains(enabled, s.Name)
	}), nil
}
