package daemon

import "strings"

// groupsOf are the groups that the API gives a user of the system by its name alone.
func groupsOf(identity string) []string {
	rest, isAccount := strings.CutPrefix(identity, "system:serviceaccount:")
	if !isAccount {
		return nil
	}
	namespace, _, _ := strings.Cut(rest, ":")
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}
}
