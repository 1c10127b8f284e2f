// Package forward lets the library's proxy pass requests on without trusting who answers with the server's memory.
//
// It decides how much of an answer the proxy may hold: the library keeps a page as a whole, to rewrite the links in it, and
// the head of an answer to an upgrade, both however long they are. It owns nothing but the connection of an upgrade, until
// the library closes it, or the client is gone. Package stream calls it for what users run, and package aggregate for servers
// that add to the API.
// When the other side is gone, the library's responder says so.
package forward

import (
	"net"
	"net/http"

	"k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/streaming/pkg/httpstream"

	"proa/internal/gone"
)

// Serve passes a request on as the handler says, within the bounds. The handler is for this request alone.
func Serve(h *proxy.UpgradeAwareHandler, w http.ResponseWriter, r *http.Request) {
	if !httpstream.IsUpgradeRequest(r) {
		h.Transport = pages{h.Transport}
		h.ServeHTTP(w, r)
		return
	}
	var backend net.Conn // dialled before the client's connection is taken over
	// The library copies each way until an end comes. It reads nothing from a client whose bytes the other side does not take, and
	// so does not see that the client is gone: such a session, and the process behind it, would stay as long as the node lets them.
	session := &gone.Session{ResponseWriter: w, Gone: func() { gone.Abort(backend) }}
	defer session.End()
	boundHead(h, func(conn net.Conn) { backend = conn })
	h.ServeHTTP(session, r)
}
