package daemon

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"k8s.io/client-go/rest"
)

// serveFor serves the API until the test ends.
func serveFor(t *testing.T) *served {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := startServed(ctx, t)
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// dialPlain connects as the administrator, for HTTP/1.1 written by hand.
func (s *served) dialPlain() net.Conn {
	s.t.Helper()
	config, err := rest.TLSConfigFor(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	config.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// until waits for a condition; the test's own time is the limit.
func until(condition func() bool) {
	for !condition() {
		time.Sleep(time.Millisecond)
	}
}

// Headers beyond the limit are refused with 431, whatever carries them, and the server goes on.
func TestHeadersAreLimited(t *testing.T) {
	s := serveFor(t)
	for _, size := range []int{100 << 10, mostHeaderBytes + 64<<10} {
		r, err := http.NewRequest("GET", s.url+"/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 64 {
			r.Header.Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", size/64))
		}
		want := http.StatusOK
		if size > mostHeaderBytes {
			want = http.StatusRequestHeaderFieldsTooLarge
		}
		plain := s.dialPlain()
		go func() { _ = r.Clone(t.Context()).Write(plain) }() // the server stops reading before the end
		if answer, err := http.ReadResponse(bufio.NewReader(plain), r); err != nil || answer.StatusCode != want {
			t.Errorf("HTTP/1.1 with %d bytes: %v, %v; want %d", size, answer, err, want)
		}
		if size < mostHeaderBytes {
			if answer := s.request("GET", "/version", nil); answer.ProtoMajor != 2 || answer.StatusCode != want {
				t.Errorf("HTTP/2: %s %s", answer.Proto, answer.Status)
			}
		}
	}
	raw := s.dialRaw()
	if _, err := raw.open("GET", "/version", false); err != nil {
		t.Fatal(err)
	}
	for range 4 { // CONTINUATION frames without end
		if err := raw.framer.WriteContinuation(raw.next-2, false, make([]byte, 16<<10)); err != nil {
			break
		}
	}
	<-raw.closed
	if got := s.request("GET", "/version", nil); got.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", got.Status)
	}
}

// A client that never comes to the end of its headers loses its connection.
func TestSlowHeaders(t *testing.T) {
	server, err := newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if server.ReadHeaderTimeout != headerTime || server.IdleTimeout != idleTime {
		t.Errorf("limits of time: %s and %s", server.ReadHeaderTimeout, server.IdleTimeout)
	}
	server.ReadHeaderTimeout = 20 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	server.Close()
	<-ended
}

// Who asks for an upgrade where there is none gets an ordinary answer, and what follows on the connection is a request like
// any other: nothing behind the server was opened.
func TestUpgradeWhereThereIsNone(t *testing.T) {
	s := serveFor(t)
	for _, path := range []string{"/api/v1/namespaces/default", "/api/v1/pods", "/api/v1/namespaces/default/pods/none/exec?command=id", "/api/v1/namespaces/default/pods/none/proxy/", "/api/v1/nodes/none/proxy/exec",
		"/api/v1/namespaces/default/pods/none/status", "/apis/example.com/v1/x", "/healthz", "/nothing"} {
		for _, protocol := range []string{"websocket", "SPDY/3.1", "h2c", "TLS/1.0"} {
			conn := s.dialPlain()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n", path, protocol)
			answers := bufio.NewReader(conn)
			first, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%s to %s: %v", path, protocol, err)
			}
			if _, err := io.Copy(io.Discard, first.Body); err != nil || first.StatusCode == http.StatusSwitchingProtocols {
				t.Errorf("%s to %s: %s, %v", path, protocol, first.Status, err)
			}
			if first.Close {
				conn.Close()
				continue
			}
			fmt.Fprintf(conn, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
			second, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%s to %s, and then: %v", path, protocol, err)
			}
			if text, err := io.ReadAll(second.Body); err != nil || !strings.Contains(string(text), "gitVersion") {
				t.Errorf("%s to %s, and then: %s %s", path, protocol, second.Status, text)
			}
			conn.Close()
		}
	}
}

// Requests that are begun and taken back, over and over, never are more at the same time than a connection may have
// (CVE-2023-44487); others are served meanwhile.
func TestRapidReset(t *testing.T) {
	s := serveFor(t)
	raw := s.dialRaw()
	most := 0.0
	for sent := range 50_000 {
		if sent%500 == 0 {
			most = max(most, s.reading())
		}
		stream, err := raw.open("GET", "/api/v1/pods", true)
		if err != nil || raw.framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			break
		}
	}
	if got := s.request("GET", "/api/v1/namespaces/default", nil); got.StatusCode != http.StatusOK {
		t.Errorf("meanwhile: %s", got.Status)
	}
	raw.conn.Close()
	<-raw.closed
	until(func() bool { return s.reading() == 0 })
	if most > mostStreams {
		t.Errorf("%.0f requests at the same time", most)
	}
}

// More streams than a connection may have are refused, not queued.
func TestStreamsAreLimited(t *testing.T) {
	s := serveFor(t)
	raw := s.dialRaw()
	for range mostStreams + 10 {
		if _, err := raw.open("GET", "/api/v1/configmaps?watch=1&resourceVersion=1&fieldSelector=metadata.name%3Dnone", true); err != nil {
			break
		}
	}
	until(func() bool {
		select {
		case <-raw.closed:
			return true
		default:
			return raw.ended.Load() >= 10
		}
	})
	if n := raw.answered.Load(); n > mostStreams {
		t.Errorf("%d streams are served at the same time", n)
	}
}

// A server that stops tells its clients so.
func TestGoAway(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := startServed(ctx, t)
	raw := s.dialRaw()
	if _, err := raw.open("GET", "/api/v1/configmaps?watch=1&resourceVersion=1", true); err != nil {
		t.Fatal(err)
	}
	until(func() bool { return raw.answered.Load() == 1 })
	stop()
	<-raw.closed
	if raw.goAway.Load() != 1 || raw.ended.Load() != 1 {
		t.Errorf("GOAWAY %d, %d streams ended", raw.goAway.Load()-1, raw.ended.Load())
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

const (
	manyWatches = 10_000
	// mostForWatch is what an idle watch may keep in memory, on the server's side and this test's, in bytes.
	mostForWatch = 64 << 10
)

// Ten thousand watches are served, hear of a change, keep little, and leave nothing behind.
func TestTenThousandIdleWatches(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of a busy machine; not in short runs")
	}
	s := serveFor(t)
	s.client.CloseIdleConnections()
	goroutines, files, before := runtime.NumGoroutine(), openFiles(t), inUse()
	conns := make([]*rawConn, manyWatches/mostStreams)
	for i := range conns {
		conns[i] = s.dialRaw()
		for range mostStreams {
			if _, err := conns[i].open("GET", "/api/v1/namespaces/default/configmaps?watch=1&labelSelector=for%3Dwatches", true); err != nil {
				t.Fatal(err)
			}
		}
		until(func() bool { return conns[i].answered.Load() == mostStreams })
	}
	each := (inUse() - before) / manyWatches
	t.Logf("%d bytes for each of %d watches", each, manyWatches)
	if each > mostForWatch {
		t.Errorf("each watch keeps %d bytes; %d are enough", each, mostForWatch)
	}
	answer := s.request("POST", "/api/v1/namespaces/default/configmaps", strings.NewReader(`{"metadata":{"name":"a","labels":{"for":"watches"}}}`))
	if answer.StatusCode != http.StatusCreated {
		t.Fatal(answer.Status)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		until(func() bool { return c.data.Load() == mostStreams })
		c.conn.Close()
		<-c.closed
	}
	until(func() bool {
		s.client.CloseIdleConnections()
		return runtime.NumGoroutine() <= goroutines+4 && openFiles(t) <= files
	})
}

// Watches and lists whose client takes a byte at a time, or none, keep nothing of their own of what they were not let write, keep
// nobody waiting, and leave nothing behind.
func TestAnswersThatAreNotRead(t *testing.T) {
	const streams, objects, size, most = 50, 40, 100 << 10, 192 << 20 // a copy of the list for each would be 4 GB
	s := serveFor(t)
	s.client.CloseIdleConnections()
	goroutines := runtime.NumGoroutine()
	raw := s.dialRaw()
	raw.must(raw.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}))
	for range streams {
		if _, err := raw.open("GET", "/api/v1/namespaces/default/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", true); err != nil {
			t.Fatal(err)
		}
	}
	until(func() bool { return raw.answered.Load() == streams })
	before := inUse()
	create := func(name string) {
		answer := s.request("POST", "/api/v1/namespaces/default/configmaps", strings.NewReader(`{"metadata":{"name":"`+name+`"},"data":{"k":"`+strings.Repeat("x", size)+`"}}`))
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusCreated {
			t.Fatal(answer.Status, err)
		}
	}
	for i := range objects {
		create(fmt.Sprintf("a%d", i))
	}
	for range mostStreams - streams {
		if _, err := raw.open("GET", "/api/v1/namespaces/default/configmaps", true); err != nil {
			t.Fatal(err)
		}
	}
	until(func() bool { return raw.answered.Load() == mostStreams })
	if grown := int64(inUse()) - int64(before); grown > most {
		t.Errorf("%d answers that nobody reads keep %d MiB", mostStreams, grown>>20)
	}
	create("after")
	raw.conn.Close()
	<-raw.closed
	until(func() bool {
		s.client.CloseIdleConnections()
		return runtime.NumGoroutine() <= goroutines+4
	})
}

// inUse is the memory of objects and stacks.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
