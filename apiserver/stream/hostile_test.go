package stream_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"proa/internal/gone"
)

const (
	// mostUnread is how much may be on the way to who does not read: what the kernel's buffers of all connections hold, and ours.
	mostUnread = 64 << 20
	// stuck is how long a write is tried, after which it is taken for one that waits for a reader.
	stuck = 200 * time.Millisecond
)

// fill writes until nothing is taken any more.
func fill(t *testing.T, conn net.Conn) {
	t.Helper()
	chunk := make([]byte, 64<<10)
	for sent := 0; ; {
		if err := conn.SetWriteDeadline(time.Now().Add(stuck)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Write(chunk)
		if sent += n; sent > mostUnread {
			t.Fatalf("%d MiB were taken, and nobody reads", sent>>20)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", sent, err)
		}
	}
}

// What a client sends to a process that does not read is not kept, and when the client is gone, so is the session.
func TestInputThatIsNotRead(t *testing.T) {
	for _, path := range []string{"exec?command=sleep&stdin=true", "attach?stdin=true", "portforward?ports=80"} {
		for _, protocol := range []string{"websocket", "SPDY/3.1"} {
			w := newWorld(t)
			ended := make(chan struct{})
			w.node = func(rw http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
				stop, err := gone.Watch(conn, func() { close(ended) })
				if err != nil {
					t.Error(err)
					return
				}
				<-ended
				stop()
			}
			conn, _, response := w.upgrade("GET", podPath+path, protocol)
			if response.StatusCode != http.StatusSwitchingProtocols {
				t.Fatal(response.Status)
			}
			fill(t, conn)
			gone.Abort(conn)
			w.drained()
			<-ended // the node learns of it as well
		}
	}
}

// A log that is written without end to a client that does not read waits for it, keeps nobody else waiting, and ends with it.
func TestLogsThatAreNotRead(t *testing.T) {
	for _, protocol := range []string{"", "websocket"} {
		w := newWorld(t)
		var wrote atomic.Int64
		waits, ended := make(chan struct{}, 1), make(chan struct{})
		w.node = func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("follow") == "" {
				fmt.Fprint(rw, "a line")
				return
			}
			defer close(ended)
			waiting := time.AfterFunc(stuck, func() {
				select {
				case waits <- struct{}{}:
				default: // it has been told already
				}
			})
			defer waiting.Stop()
			for line := make([]byte, 4<<10); wrote.Load() <= mostUnread; waiting.Reset(stuck) {
				n, err := rw.Write(line)
				if wrote.Add(int64(n)); err != nil || http.NewResponseController(rw).Flush() != nil {
					return
				}
			}
			t.Errorf("%q: %d bytes were written, and nobody reads", protocol, wrote.Load())
		}
		conn := w.follow(protocol)
		<-waits
		if _, body := w.get(podPath + "log"); body != "a line" {
			t.Errorf("%q: another client was told %s", protocol, body)
		}
		conn.Close()
		<-ended
		if wrote.Load() == 0 {
			t.Errorf("%q: nothing was written", protocol)
		}
	}
}

// follow asks for a log and reads but the head of the answer.
func (w *world) follow(protocol string) net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.api.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	upgrade := ""
	if protocol != "" {
		upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	}
	if _, err := io.WriteString(conn, "GET "+podPath+"log?follow=true HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer secret\r\n"+upgrade+"\r\n"); err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSwitchingProtocols {
		w.t.Fatal(answer.Status)
	}
	return conn
}
