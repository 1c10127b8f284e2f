package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
	tunnel "k8s.io/client-go/tools/portforward"
	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"proa/node/run"
)

// tunnelProtocol is SPDY inside of WebSocket messages, what kubectl port-forward speaks first.
const tunnelProtocol = "SPDY/3.1+portforward.k8s.io"

var portForwardProtocols = []string{"portforward.k8s.io"}

// portForward joins the caller's connections to ports of a pod.
func (s *Server) portForward(w http.ResponseWriter, r *http.Request) {
	served, ok := s.podOf(w, r)
	if !ok {
		return
	}
	if served.SandboxID == "" {
		http.Error(w, fmt.Sprintf("sandbox of pod %q not found", served.Pod.Name), http.StatusInternalServerError)
		return
	}
	w, r, end := whileClient(w, r)
	defer end()
	forwarder := &forwarder{server: s, pod: served, ctx: r.Context()}
	for _, protocol := range websocket.Subprotocols(r) {
		if protocol == tunnelProtocol {
			s.serveTunnel(w, r, forwarder)
			return
		}
	}
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, forwarder, served.Pod.Name, string(served.Pod.UID), options, idleTimeout, creationTimeout, portForwardProtocols)
}

// serveTunnel unpacks SPDY from a WebSocket's messages and serves it as if it had come alone.
func (s *Server) serveTunnel(w http.ResponseWriter, r *http.Request, forwarder *forwarder) {
	upgrader := websocket.Upgrader{Subprotocols: []string{tunnelProtocol}, CheckOrigin: func(*http.Request) bool { return true }}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	conn := tunnel.NewTunnelingConnection("server", socket)
	defer conn.Close()
	inner := r.Clone(r.Context())
	inner.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}, "X-Stream-Protocol-Version": portForwardProtocols}
	portforward.ServePortForward(&tunnelWriter{conn: conn, header: http.Header{}}, inner, forwarder, forwarder.pod.Pod.Name,
		string(forwarder.pod.Pod.UID), &portforward.V4Options{}, idleTimeout, creationTimeout, portForwardProtocols)
}

// tunnelWriter swallows the answer to the upgrade, which the WebSocket's own has given, and hands out its connection.
type tunnelWriter struct {
	conn   net.Conn
	header http.Header
}

var errTunnel = errors.New("the tunnel takes SPDY only")

// Header implements http.ResponseWriter.
func (w *tunnelWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *tunnelWriter) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (w *tunnelWriter) Write([]byte) (int, error) { return 0, errTunnel }

// Hijack implements http.Hijacker.
func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// forwarder connects streams to one pod.
type forwarder struct {
	server *Server
	pod    run.Served
	ctx    context.Context // of the request: the library hands none on
}

// PortForward implements portforward.PortForwarder.
func (f *forwarder) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	conn, err := f.server.dialPod(f.ctx, f.pod, port)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { conn.Close() })
	return join(conn.(*net.TCPConn), stream, hold(ctx, stream, stream, f.server.cfg.HeldFor))
}

// join copies both ways until the pod has said all it has to say; a caller that says no more ends one direction only.
func join(conn *net.TCPConn, to io.Writer, from io.Reader) error {
	go func() { // ends when what the caller says does
		if _, err := io.Copy(conn, from); err != nil {
			conn.Close()
			// What nobody takes would keep all that comes after it on the caller's connection, its end as well.
			_, _ = io.Copy(io.Discard, from)
			return
		}
		conn.CloseWrite()
	}()
	_, err := io.Copy(to, conn)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("forward port: %w", err)
	}
	return nil
}
