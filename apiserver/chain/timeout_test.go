package chain

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// timedServer serves h behind the filter that ends requests, over HTTP/1.1 and HTTP/2.
func timedServer(t *testing.T, limit time.Duration, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	c := &Config{Timeout: limit}
	server := httptest.NewUnstartedServer(parsed(c.timed(h)))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// A client that sends no more of its body does not keep who reads it, and is told.
func TestStalledBody(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		read := make(chan error, 1)
		server := timedServer(t, 20*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
			if r.Proto != proto {
				t.Errorf("served over %s, not %s", r.Proto, proto)
			}
			Refuse(w, r, TimedOut())
		})
		client := server.Client()
		if proto == "HTTP/1.1" {
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
			client.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		body, more := io.Pipe()
		go func() { _, _ = io.WriteString(more, `{"a":`) }()
		answer, err := client.Post(server.URL+"/api/v1/namespaces/a/pods", "application/json", body)
		if err != nil || answer.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%s: %v, %v", proto, answer, err)
		}
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: reading ended with %v", proto, err)
		}
		more.Close()
	}
}

// A client that does not take its answer does not keep who writes it.
func TestStalledReader(t *testing.T) {
	wrote := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := &slowConn{w: w, grace: time.Millisecond}
		go conn.cut()
		_, err := w.Write(make([]byte, 64<<20)) // more than the kernel's buffers
		wrote <- err
		conn.release()
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing ended with %v", err)
	}
}

// A connection whose request has ended is left alone.
func TestReleasedConnectionIsNotCut(t *testing.T) {
	conn := &slowConn{} // with nothing to say a deadline to
	conn.release()
	conn.cut()
}

func TestLimits(t *testing.T) {
	c := &Config{}
	for query, want := range map[string]time.Duration{
		"": time.Minute, "timeout=": time.Minute, "timeout=0": time.Minute, "timeout=-1s": time.Minute, "timeout=2h": time.Minute, "timeout=3s": 3 * time.Second,
		"mytimeout=3s": time.Minute, "timeout=1ms&timeout=x": time.Millisecond,
	} {
		if got, err := c.limit(httptest.NewRequest("GET", "/?"+query, nil)); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", query, got, err, want)
		}
	}
	// A request that may last has no end; any other has.
	for path, ends := range map[string]bool{"/api/v1/pods": true, "/healthz": true, "/api/v1/pods?watch=1": false, "/api/v1/namespaces/a/pods/b/exec": false} {
		h := parsed(c.timed(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, has := r.Context().Deadline(); has != ends {
				t.Errorf("%s: has an end: %t", path, has)
			}
		})))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), "GET", path, nil))
	}
}
