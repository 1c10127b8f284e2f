package daemon

import (
	"strings"

	"proa/apiserver/auth"
	"proa/controllers/rootca"
	"proa/ops/pki"
)

// trust is what aggregated API servers must know to check who calls them.
func (c *control) trust() rootca.Trust {
	return rootca.Trust{
		ClientCA: c.keys.CA(), RequestCA: c.keys.FrontProxyCA(), AllowedNames: []string{pki.FrontProxyUser},
		UserHeaders: []string{auth.RemoteUser}, UIDHeaders: []string{auth.RemoteUID}, GroupHeaders: []string{auth.RemoteGroup},
		ExtraPrefixes: []string{auth.RemoteExtraPrefix},
	}
}

// groupsOf are the groups that the API gives a user of the system by its name alone.
func groupsOf(identity string) []string {
	if identity == systemUser {
		return []string{"system:masters"}
	}
	rest, isAccount := strings.CutPrefix(identity, "system:serviceaccount:")
	if !isAccount {
		return nil
	}
	namespace, _, _ := strings.Cut(rest, ":")
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}
}
