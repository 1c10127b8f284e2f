package chain

import (
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"proa/apiserver/encode"
)

// refuse answers with a Status in the form that the client asked for.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	accept, negotiated := encode.Negotiate(r, true)
	if negotiated != nil {
		accept = encode.Accept{}
	}
	encode.Responder{Accept: accept, Request: r}.Error(w, err)
}

// parsed puts the request's Info in its context.
func parsed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := ParseInfo(r)
		if err == nil && info.IsResource && !wholePath(r) {
			http.NotFound(w, r)
			return
		}
		if err != nil {
			refuse(w, r, apierrors.NewBadRequest(err.Error()))
			return
		}
		next.ServeHTTP(w, r.WithContext(WithInfo(r.Context(), info)))
	})
}

// wholePath refuses paths that two readers could read in two ways: segments that are empty, "." or "..", and slashes
// or percent signs inside a segment that were escaped.
func wholePath(r *http.Request) bool {
	p := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." || s == ".." }) {
		return false
	}
	escaped := strings.ToLower(r.URL.EscapedPath())
	return !strings.Contains(escaped, "%2f") && !strings.ContainsRune(r.URL.Path, 0)
}
