package serve_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/remotecommand"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/internal/gone"
)

// stuck is how long a write is tried, after which it is taken for one that waits for a reader.
const stuck = 200 * time.Millisecond

// gauge counts what is open.
type gauge struct {
	mu struct {
		sync.Mutex
		open int
	}
	changed sync.Cond
}

func newGauge() *gauge {
	g := &gauge{}
	g.changed.L = &g.mu
	return g
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.open += n
	g.changed.Broadcast()
}

// drained waits until nothing is open.
func (g *gauge) drained() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.mu.open > 0 {
		g.changed.Wait()
	}
}

// relay listens, and passes each connection on to an address, as pass does.
func relay(t *testing.T, to string, pass func(from, to net.Conn)) (address string, open *gauge) {
	t.Helper()
	open = newGauge()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			open.add(1)
			go func() {
				defer open.add(-1)
				defer from.Close()
				there, err := net.Dial("tcp", to)
				if err != nil {
					t.Error(err)
					return
				}
				defer there.Close()
				pass(from, there)
			}()
		}
	}()
	return l.Addr().String(), open
}

// passUntilGone passes on all, until either side ends, or the one who called is gone though the other takes nothing.
func passUntilGone(from, to net.Conn) {
	closeBoth := func() { from.Close(); to.Close() }
	if stop, err := gone.Watch(from, closeBoth); err == nil {
		defer stop()
	}
	go func() {
		defer closeBoth()
		_, _ = io.Copy(from, to) // whichever end comes is one
	}()
	_, _ = io.Copy(to, from)
}

// passUntilStuck passes on all, until what comes is not taken. Then it leaves as a client does that is killed.
func passUntilStuck(t *testing.T) func(from, to net.Conn) {
	return func(from, to net.Conn) {
		go func() { _, _ = io.Copy(from, to) }() // ends when both are closed
		chunk := make([]byte, 64<<10)
		for {
			n, err := from.Read(chunk)
			if err != nil {
				t.Errorf("the client ended first: %v", err)
				return
			}
			if err := to.SetWriteDeadline(time.Now().Add(stuck)); err != nil {
				t.Error(err)
				return
			}
			if _, err := to.Write(chunk[:n]); errors.Is(err, os.ErrDeadlineExceeded) {
				gone.Abort(to)
				return
			} else if err != nil {
				t.Errorf("the node ended first: %v", err)
				return
			}
		}
	}
}

// throughRelay is the runtime, with its streams behind a relay that counts them.
type throughRelay struct {
	runtimeapi.RuntimeServiceClient
	t    *testing.T
	once sync.Once
	host string
	open *gauge
}

func (r *throughRelay) Exec(ctx context.Context, in *runtimeapi.ExecRequest, options ...grpc.CallOption) (*runtimeapi.ExecResponse, error) {
	out, err := r.RuntimeServiceClient.Exec(ctx, in, options...)
	if err == nil {
		out.Url = r.instead(out.Url)
	}
	return out, err
}

func (r *throughRelay) Attach(ctx context.Context, in *runtimeapi.AttachRequest, options ...grpc.CallOption) (*runtimeapi.AttachResponse, error) {
	out, err := r.RuntimeServiceClient.Attach(ctx, in, options...)
	if err == nil {
		out.Url = r.instead(out.Url)
	}
	return out, err
}

func (r *throughRelay) instead(location string) string {
	target, err := url.Parse(location)
	if err != nil {
		r.t.Error(err)
		return location
	}
	r.once.Do(func() { r.host, r.open = relay(r.t, target.Host, passUntilGone) })
	target.Host = r.host
	return target.String()
}

// counted serves the API a second time, and counts the requests that it works on.
func (a *api) counted() (*api, *gauge) {
	a.t.Helper()
	requests := newGauge()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.add(1)
		defer requests.add(-1)
		a.server.Handler().ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{a.certificate}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"http/1.1"}}
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return &api{t: a.t, ca: a.ca, address: server.Listener.Addr().String()}, requests
}

// leave sends more than is taken, and is gone. Nothing may stay of its session.
func leave(t *testing.T, a *api) {
	server, requests := a.counted()
	address, clients := relay(t, server.address, passUntilStuck(t))
	client := &api{t: t, ca: a.ca, address: address}
	over := func(what string, err error) {
		t.Logf("%s: the client was told %v", what, err)
		clients.drained()
		requests.drained()
	}
	for _, path := range []string{"/exec/shop/web/c?command=/program&command=deaf&input=1&output=1", "/attach/shop/web/c?input=1&output=1"} {
		for name, executor := range client.executors(path) {
			over(name+" "+path, executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: endless{}, Stdout: io.Discard}))
			a.runtime.open.drained()
		}
	}
	port, connections := deafPort(t)
	for name, dialer := range client.dialers() {
		over("port-forward over "+name, pourInto(t, dialer, port))
		end(t, <-connections)
	}
	over("port-forward over WebSocket channels", client.pourChannel(port))
	end(t, <-connections)
}

// deafPort takes connections, from which nobody reads.
func deafPort(t *testing.T) (port string, connections <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := make(chan net.Conn, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			taken <- conn
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, taken
}

// end reads what was sent until the end of it.
func end(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, conn); err != nil || n == 0 {
		t.Errorf("%d bytes came to the pod: %v", n, err)
	}
	conn.Close()
}

// pourInto writes to a forwarded port until that fails.
func pourInto(t *testing.T, dialer httpstream.Dialer, port string) error {
	t.Helper()
	ports, _, done := listen(t, dialer, "0:"+port)
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0].Local))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.Copy(conn, endless{}); err == nil {
		t.Error("what is endless ended")
	}
	return <-done
}

// pourChannel writes to a port that is forwarded over channels of a WebSocket until that fails.
func (a *api) pourChannel(port string) error {
	a.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"v4.channel.k8s.io"},
		TLSClientConfig: &tls.Config{RootCAs: a.ca.pool, Certificates: []tls.Certificate{a.ca.client("admin")}}}
	socket, _, err := dialer.Dial("wss://"+a.address+"/portForward/shop/web?port="+port, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	defer socket.Close()
	for message := make([]byte, 32<<10); err == nil; { // whose first byte is the channel's number
		err = socket.WriteMessage(websocket.BinaryMessage, message)
	}
	return err
}

// endless is input without end, and without lines.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, strings.Repeat("x", len(p))), nil
}
