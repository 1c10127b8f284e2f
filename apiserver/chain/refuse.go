package chain

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"proa/apiserver/encode"
)

// Refuse answers with a Status in the form that the client asked for.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	encode.Responder{Request: r}.Error(w, err)
}

// parsed puts the request's Info in its context.
func parsed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := ParseInfo(r)
		if err == nil && info.IsResource && !wholePath(r, info) {
			http.NotFound(w, r)
			return
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("Internal Server Error: %q: failed to create RequestInfo: %v", r.RequestURI, err), http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithInfo(r.Context(), info)))
	})
}

// wholePath refuses paths that two readers could read in two ways: segments that are empty, "." or "..", and slashes
// inside a segment that were escaped. What follows .../proxy is another server's path and is its affair.
func wholePath(r *http.Request, info *Info) bool {
	escaped := strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for segment := range strings.SplitSeq(escaped, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\x00") {
			return false
		}
		if plain == "proxy" && info.Subresource == "proxy" {
			return true
		}
	}
	return true
}
