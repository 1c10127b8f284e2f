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
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/remotecommand"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/internal/gone"
	"proa/node/run"
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

// passUntilGone passes on all, until the one who called ends, or is gone though the other takes nothing.
func passUntilGone(from, to net.Conn) {
	closeBoth := func() { from.Close(); to.Close() }
	if stop, err := gone.Watch(from, closeBoth); err == nil {
		defer stop()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(from, to) // whichever end comes is one
		_ = from.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(to, from)
	_, _ = io.Copy(io.Discard, from) // to close earlier could have the caller lose what it has not read yet
	closeBoth()
	<-ended
}

// passUntilStuck passes on all, until what comes is not taken. Then it leaves.
func passUntilStuck(t *testing.T, leave func(net.Conn)) func(from, to net.Conn) {
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
				leave(to)
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

// ways are how clients go away: killed, or closed as if all were well, behind what they have sent.
var ways = map[string]func(net.Conn){"killed": gone.Abort, "closed": func(c net.Conn) { c.Close() }}

// leaving is a client that sends more than is taken, and goes away. over waits until nothing is left of its session.
func (a *api) leaving(way func(net.Conn)) (client *api, over func(what string, err error)) {
	a.t.Helper()
	server, requests := a.counted()
	address, clients := relay(a.t, server.address, passUntilStuck(a.t, way))
	return &api{t: a.t, ca: a.ca, address: address}, func(what string, err error) {
		a.t.Logf("%s: the client was told %v", what, err)
		clients.drained()
		requests.drained()
	}
}

// leave leaves processes that read nothing.
func leave(t *testing.T, a *api) {
	for way, goAway := range ways {
		client, over := a.leaving(goAway)
		for _, path := range []string{"/exec/shop/web/c?command=/program&command=deaf&input=1&output=1", "/attach/shop/web/c?input=1&output=1"} {
			for name, executor := range client.executors(path) {
				over(way+" "+name+" "+path, executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: endless{}, Stdout: io.Discard}))
				a.runtime.open.drained()
			}
		}
	}
}

// Nothing stays of a session with a port from which nobody reads, once the client is gone.
func TestPortsOfClientsThatAreGone(t *testing.T) {
	served := run.Served{Pod: &v1.Pod{Spec: v1.PodSpec{HostNetwork: true}}, SandboxID: "any"}
	served.Pod.Name, served.Pod.Namespace = "web", "shop"
	a := start(t, runtimeapi.NewRuntimeServiceClient(nil), served)
	port, connections := deafPort(t)
	for way, goAway := range ways {
		client, over := a.leaving(goAway)
		for name, dialer := range client.dialers() {
			over(way+", "+name, pourInto(t, dialer, port))
			end(t, <-connections)
		}
		over(way+", WebSocket channels", client.pourChannel(port))
		end(t, <-connections)
	}
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

// numbers are bytes of which each is told by its place.
type numbers struct {
	at     int
	wrong  bool
	enough chan struct{} // what is read ends with it
}

func (n *numbers) Read(p []byte) (int, error) {
	select {
	case <-n.enough:
		return 0, io.EOF
	default:
	}
	for i := range p {
		p[i] = byte((n.at + i) % 251)
	}
	n.at += len(p)
	return len(p), nil
}

func (n *numbers) Write(p []byte) (int, error) {
	for i, b := range p {
		n.wrong = n.wrong || b != byte((n.at+i)%251)
	}
	n.at += len(p)
	return len(p), nil
}

// told is told of what comes, if it is waited for.
type told chan struct{}

func (c told) Write(p []byte) (int, error) {
	select {
	case c <- struct{}{}:
	default:
	}
	return len(p), nil
}

// late sends more than is taken, and waits. While it is tried it loses nothing, and learns of nothing.
func late(t *testing.T, a *api) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tried := make(told)
	address, clients := relay(t, a.address, func(from, to net.Conn) {
		go func() {
			_, _ = io.Copy(to, from) // the other direction tells of ends
			to.Close()
		}()
		_, _ = io.Copy(io.MultiWriter(from, tried), to)
	})
	client := &api{t: t, ca: a.ca, address: address}
	for name, executor := range client.executors("/exec/shop/web/c?command=/program&command=late&command=" + port + "&input=1&output=1") {
		if name == "WebSocket v4" {
			continue // cannot tell the end of standard input
		}
		enough := make(chan struct{})
		said, heard := &numbers{enough: enough}, &numbers{}
		go func() {
			process, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			for range 10 {
				<-tried
			}
			close(enough)
			process.Close()
		}()
		if err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: said, Stdout: heard}); err != nil || heard.at != said.at || heard.wrong {
			t.Errorf("%s: %d bytes came back of %d, wrong: %t; %v", name, heard.at, said.at, heard.wrong, err)
		}
	}
	clients.drained()
}

// endless is input without end, and without lines.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, strings.Repeat("x", len(p))), nil
}
