package aggregate

import (
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/client-go/transport"

	"proa/apiserver/auth"
	"proa/apiserver/forward"
)

// auditHeader names a request in the logs of all who see it. The chain has written it into the answer.
const auditHeader = "Audit-ID"

// schemaPrefix is before the path of a version where its schema is asked for.
const schemaPrefix = "/openapi/v3"

// Serve passes a request on, if its version is a Service's, or returns false.
func (a *Aggregator) Serve(w http.ResponseWriter, r *http.Request) bool {
	all := a.routes.Load()
	if len(all.byVersion) == 0 {
		return false
	}
	version, ok := versionOf(strings.TrimPrefix(r.URL.Path, schemaPrefix))
	if !ok {
		return false
	}
	to := all.byVersion[version]
	if to == nil {
		return false
	}
	a.forward(w, r, to)
	return true
}

// versionOf reads the group and version that a path is about.
func versionOf(path string) (schema.GroupVersion, bool) {
	rest, ok := strings.CutPrefix(path, "/apis/")
	if !ok {
		return schema.GroupVersion{}, false
	}
	group, rest, ok := strings.Cut(rest, "/")
	version, _, _ := strings.Cut(rest, "/")
	return schema.GroupVersion{Group: group, Version: version}, ok && group != "" && version != ""
}

// forward sends the request to the Service under the front proxy's name, with the user in headers. Whether the user may was
// asked before; the Service asks again by itself. A redirect is refused: it would be followed with the user's rights.
func (a *Aggregator) forward(w http.ResponseWriter, r *http.Request, to *route) {
	if !to.available {
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	}
	endpoint, err := a.cfg.Caller.Endpoint(to.target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	user, ok := auth.UserFrom(r.Context())
	if !ok {
		http.Error(w, "missing user", http.StatusInternalServerError)
		return
	}
	location := &url.URL{Scheme: endpoint.URL.Scheme, Host: endpoint.URL.Host, Path: r.URL.Path, RawQuery: r.URL.Query().Encode()}
	sent := r.Clone(r.Context())
	sent.URL, sent.Host = location, location.Host
	for name := range sent.Header {
		if strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "X-Remote-") || name == "Authorization" {
			sent.Header.Del(name)
		}
	}
	if id := w.Header().Get(auditHeader); id != "" {
		sent.Header.Set(auditHeader, id)
	}
	// The user is written last: the proxy drops what the client's Connection header names. An upgraded connection has no
	// such step, nor a round trip.
	upgrade := httpstream.IsUpgradeRequest(r)
	if upgrade {
		transport.SetAuthProxyHeaders(sent, user.Name, user.UID, user.Groups, user.Extra)
	}
	through := transport.NewAuthProxyRoundTripper(user.Name, user.UID, user.Groups, user.Extra, endpoint.Transport())
	handler := proxy.NewUpgradeAwareHandler(location, through, true, upgrade, responder{})
	handler.RejectForwardingRedirects = true
	forward.Serve(handler, w, sent)
}

// responder tells that a Service could not be reached.
type responder struct{}

// Error implements proxy.ErrorResponder.
func (responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
