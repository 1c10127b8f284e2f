// Package forward lets the library's proxy pass requests on without trusting who answers with the server's memory.
//
// It decides how much of an answer the proxy may hold: the library keeps a page as a whole, to rewrite the links in it, and
// the head of an answer to an upgrade, both however long they are. It owns nothing but the connection of an upgrade, until
// the library closes it, or the client is gone. Package stream calls it for what users run, and package aggregate for servers that add to the API.
// When the other side is gone, the library's responder says so.
package forward

import (
	"net/http"

	"k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/streaming/pkg/httpstream"
)

// Serve passes a request on as the handler says, within the bounds. The handler is for this request alone.
func Serve(h *proxy.UpgradeAwareHandler, w http.ResponseWriter, r *http.Request) {
	if !httpstream.IsUpgradeRequest(r) {
		h.Transport = pages{h.Transport}
		h.ServeHTTP(w, r)
		return
	}
	s := &session{ResponseWriter: w}
	boundHead(h, s)
	defer s.end()
	h.ServeHTTP(s, r)
}
