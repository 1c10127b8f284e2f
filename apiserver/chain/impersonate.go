package chain

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apiserver/pkg/authentication/user"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
)

const impersonateExtra = "Impersonate-Extra-"

// impersonated lets users act as others if they may.
func (c *Config) impersonated(next http.Handler) http.Handler {
	impersonation := newImpersonation(c.Authorizer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		as, asked, err := wantedUser(r.Header)
		if err != nil {
			Refuse(w, r, apierrors.NewBadRequest(err.Error()))
			return
		}
		if !asked {
			next.ServeHTTP(w, r)
			return
		}
		user, _ := auth.UserFrom(r.Context())
		as, constraint, err := impersonation.actAs(r.Context(), Attributes(user, InfoFrom(r.Context())), as)
		if err != nil {
			Refuse(w, r, err)
			return
		}
		r = r.Clone(auth.WithUser(r.Context(), as))
		for name := range r.Header {
			if strings.HasPrefix(name, "Impersonate-") {
				r.Header.Del(name)
			}
		}
		audit.From(r.Context()).Impersonated(as, constraint)
		next.ServeHTTP(w, r)
	})
}

// wantedUser reads as whom the client wants to act.
func wantedUser(h http.Header) (as auth.User, asked bool, err error) {
	as = auth.User{Name: h.Get("Impersonate-User"), UID: h.Get("Impersonate-Uid"), Groups: h["Impersonate-Group"]}
	extra := false
	for name, values := range h {
		if !strings.HasPrefix(name, impersonateExtra) {
			continue
		}
		extra = true
		if len(values) == 0 {
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
	if as.Name == "" && (as.UID != "" || len(as.Groups) > 0 || extra) {
		shown := &user.DefaultInfo{UID: as.UID, Groups: as.Groups, Extra: as.Extra} // upstream's text
		return as, false, fmt.Errorf("requested %#v without impersonating a user name", shown)
	}
	return as, as.Name != "", nil
}

func accountOf(name string) (namespace, account string, ok bool) {
	rest, ok := strings.CutPrefix(name, auth.AccountUserPrefix)
	if !ok {
		return "", "", false
	}
	namespace, account, ok = strings.Cut(rest, ":")
	return namespace, account, ok && len(validation.ValidateNamespaceName(namespace, false)) == 0 &&
		len(validation.ValidateServiceAccountName(account, false)) == 0
}
