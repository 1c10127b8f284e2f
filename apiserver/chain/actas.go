package chain

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/utils/lru"

	"proa/apiserver/auth"
)

// mostImpersonators bounds how many users it is known of which way let them act as others.
const mostImpersonators = 10000

// way is one of the ways in which a user may be allowed to act as another (KEP-5284). All but the last need a right to do so
// for what the request wants, "impersonate-on:NAME:VERB", beside the right to be who is meant, "impersonate:NAME".
type way struct {
	name    string // "": the way of old, "impersonate", which is for every request
	applies func(user, as auth.User) bool
}

// ways are tried in this order.
func ways() []way {
	return []way{
		{"associated-node", func(user, as auth.User) bool {
			node, ok := nodeOf(as.Name)
			_, _, account := accountOf(user.Name)
			on := user.Extra[auth.ExtraNodeName]
			return ok && account && onlyName(as) && len(on) == 1 && on[0] == node
		}},
		{"arbitrary-node", func(_, as auth.User) bool {
			_, ok := nodeOf(as.Name)
			return ok && onlyName(as)
		}},
		{"serviceaccount", func(_, as auth.User) bool {
			_, _, ok := accountOf(as.Name)
			return ok && onlyName(as)
		}},
		{"user-info", func(_, as auth.User) bool {
			_, node := nodeOf(as.Name)
			_, _, account := accountOf(as.Name)
			return !node && !account
		}},
		{"", func(auth.User, auth.User) bool { return true }},
	}
}

func onlyName(u auth.User) bool { return u.UID == "" && len(u.Groups) == 0 && len(u.Extra) == 0 }

// nodeOf is the node that a user name is of.
func nodeOf(name string) (string, bool) {
	node, ok := strings.CutPrefix(name, auth.NodeUserPrefix)
	return node, ok && len(validation.NameIsDNSSubdomain(node, false)) == 0
}

// impersonation decides as whom users may act. It remembers by which way each did so last, which is tried first: most users
// only ever take one. What was allowed is not remembered: a right that is taken back is gone.
type impersonation struct {
	authorizer auth.Authorizer
	ways       []way
	last       *lru.Cache
	seed       maphash.Seed
}

func newImpersonation(z auth.Authorizer) *impersonation {
	return &impersonation{authorizer: z, ways: ways(), last: lru.New(mostImpersonators), seed: maphash.MakeSeed()}
}

// actAs gives the user that the request is made as, and the right by which. The error is of the way that was tried first.
func (i *impersonation) actAs(ctx context.Context, request auth.Attributes, as auth.User) (auth.User, string, error) {
	key := maphash.String(i.seed, request.User.Name) // that two users may share: it changes nothing but the order
	order := slices.Clone(i.ways)
	if last, ok := i.last.Get(key); ok {
		order = slices.DeleteFunc(order, func(w way) bool { return w.name == last })
		first := i.ways[slices.IndexFunc(i.ways, func(w way) bool { return w.name == last })]
		order = append([]way{first}, order...)
	}
	var refused error
	for _, w := range order {
		if !w.applies(request.User, as) {
			continue
		}
		a := attempt{ctx: ctx, authorizer: i.authorizer, way: w.name, user: request.User, as: as}
		err := a.check(request)
		if err == nil {
			i.last.Add(key, w.name)
			return a.whole(), a.constraint(), nil
		}
		if refused == nil {
			refused = err
		}
	}
	return auth.User{}, "", refused
}

// whole is the user with the groups that every user of that kind is in.
func (a *attempt) whole() auth.User {
	as, groups := a.as, slices.Clone(a.as.Groups)
	if namespace, _, ok := accountOf(as.Name); ok && len(groups) == 0 {
		groups = append(groups, auth.GroupAccounts, auth.AccountGroupPrefix+namespace)
	}
	if _, ok := nodeOf(as.Name); ok && a.way != "" {
		groups = []string{auth.GroupNodes}
	}
	want := auth.GroupAuthenticated
	if as.Name == auth.Anonymous {
		want = auth.GroupAnonymous
	}
	if !slices.Contains(groups, want) && !(want == auth.GroupAuthenticated && slices.Contains(groups, auth.GroupAnonymous)) {
		groups = append(groups, want)
	}
	as.Groups = groups
	return as
}

// requestor is who asks, as authorizers see it. Of a service account that acts as its own node the node is left out, so that
// the answer is the same on all nodes; that it is its own was found before.
func (a *attempt) requestor() auth.User {
	if a.way != "associated-node" {
		return a.user
	}
	user := a.user
	user.Extra = map[string][]string{"authentication.kubernetes.io/associated-node-keys": slices.Sorted(maps.Keys(a.user.Extra))}
	return user
}
