package chain

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
)

const impersonateExtra = "Impersonate-Extra-"

// impersonated lets users act as others if they may impersonate each part of them.
func (c *Config) impersonated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		as, asked, err := impersonation(r.Header)
		if err != nil {
			Refuse(w, r, apierrors.NewBadRequest(err.Error()))
			return
		}
		if !asked {
			next.ServeHTTP(w, r)
			return
		}
		user, _ := auth.UserFrom(r.Context())
		for _, a := range impersonationRights(user, as) {
			if err := Authorize(r.Context(), c.Authorizer, a); err != nil {
				Refuse(w, r, err)
				return
			}
		}
		as = complete(as)
		r = r.Clone(auth.WithUser(r.Context(), as))
		for name := range r.Header {
			if strings.HasPrefix(name, "Impersonate-") {
				r.Header.Del(name)
			}
		}
		audit.From(r.Context()).Impersonated(as, "")
		next.ServeHTTP(w, r)
	})
}

func impersonation(h http.Header) (as auth.User, asked bool, err error) {
	as = auth.User{Name: h.Get("Impersonate-User"), UID: h.Get("Impersonate-Uid"), Groups: h["Impersonate-Group"]}
	for name, values := range h {
		if !strings.HasPrefix(name, impersonateExtra) {
			continue
		}
		key, err := url.PathUnescape(strings.ToLower(name[len(impersonateExtra):]))
		if err != nil {
			key = strings.ToLower(name[len(impersonateExtra):])
		}
		if as.Extra == nil {
			as.Extra = map[string][]string{}
		}
		as.Extra[key] = append(as.Extra[key], values...)
	}
	if as.Name != "" {
		return as, true, nil
	}
	if as.UID != "" || len(as.Groups) > 0 || len(as.Extra) > 0 {
		return as, false, fmt.Errorf("requested %#v without impersonating a user", as)
	}
	return as, false, nil
}

// impersonationRights lists what user must be allowed in order to act as another.
func impersonationRights(user, as auth.User) []auth.Attributes {
	base := auth.Attributes{User: user, Verb: "impersonate", APIVersion: "v1", IsResourceRequest: true}
	var all []auth.Attributes
	add := func(group, resource, sub, namespace, name string) {
		a := base
		a.APIGroup, a.Resource, a.Subresource, a.Namespace, a.Name = group, resource, sub, namespace, name
		all = append(all, a)
	}
	if namespace, name, ok := accountOf(as.Name); ok {
		add("", "serviceaccounts", "", namespace, name)
	} else {
		add("", "users", "", "", as.Name)
	}
	for _, g := range as.Groups {
		add("", "groups", "", "", g)
	}
	for key, values := range as.Extra {
		for _, value := range values {
			add("authentication.k8s.io", "userextras", key, "", value)
		}
	}
	if as.UID != "" {
		add("authentication.k8s.io", "uids", "", "", as.UID)
	}
	return all
}

func accountOf(name string) (namespace, account string, ok bool) {
	rest, ok := strings.CutPrefix(name, auth.AccountUserPrefix)
	if !ok {
		return "", "", false
	}
	namespace, account, ok = strings.Cut(rest, ":")
	return namespace, account, ok && namespace != "" && account != "" && !strings.Contains(account, ":")
}

// complete adds the groups that every user of that kind is in.
func complete(as auth.User) auth.User {
	groups := slices.Clone(as.Groups)
	if namespace, _, ok := accountOf(as.Name); ok && len(groups) == 0 {
		groups = append(groups, auth.GroupAccounts, auth.AccountGroupPrefix+namespace)
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
