package serve_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"proa/node/image"
	"proa/node/run"
	"proa/node/runtime/runtimetest"
)

// program is what the tests' container runs and execs.
const program = `package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"time"
)

func main() {
	switch os.Args[1] {
	case "serve": // echoes what connections say, until they say no more
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		os.Stdout.WriteString(port + "\n")
		go func() { // attached: says lines back
			lines := bufio.NewScanner(os.Stdin)
			for lines.Scan() {
				os.Stdout.WriteString("you said " + lines.Text() + "\n")
			}
		}()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
		os.Stderr.WriteString("done")
		os.Exit(7)
	case "late": // takes its input when a connection ends
		c, err := net.Dial("tcp", "127.0.0.1:" + os.Args[2])
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, c)
		io.Copy(os.Stdout, os.Stdin)
	case "deaf":
		time.Sleep(time.Hour)
	case "tty":
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		os.Stdout.WriteString("read " + line)
	}
}
`

// pod starts a pod with the program and an API that serves it.
func pod(t *testing.T) (a *api, port string) {
	t.Helper()
	node := runtimetest.Start(t)
	dir := filepath.Join(t.TempDir(), "program")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"main.go": program, "go.mod": "module program\n\ngo 1.24\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := node.Images.Build(t.Context(), dir, "program:1", image.Options{Cmd: []string{"serve"}}); err != nil {
		t.Fatal(err)
	}
	sandbox, config := node.Sandbox(t, "web", nil)
	id, log := node.Container(t, sandbox, config, &runtimeapi.ContainerConfig{Metadata: &runtimeapi.ContainerMetadata{Name: "c"},
		Image: &runtimeapi.ImageSpec{Image: "program:1"}, Stdin: true})
	served := run.Served{Pod: &v1.Pod{Spec: v1.PodSpec{HostNetwork: true, Containers: []v1.Container{{Name: "c"}}}}, SandboxID: sandbox,
		Containers: []run.ServedContainer{{Name: "c", ID: id, Running: true, LogPath: log}}}
	served.Pod.Name, served.Pod.Namespace, served.Pod.UID = "web", "shop", "uid"
	runtime := &throughRelay{RuntimeServiceClient: node.Containers, t: t}
	a = start(t, runtime, served)
	a.runtime = runtime
	return a, a.firstLine()
}

// firstLine follows the log until the first line is there.
func (a *api) firstLine() string {
	a.t.Helper()
	certificate := a.ca.client("admin")
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.ca.pool, Certificates: []tls.Certificate{certificate}}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://" + a.address + "/containerLogs/shop/web/c?follow=true")
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	var line string
	if _, err := fmt.Fscanln(response.Body, &line); err != nil {
		a.t.Fatal(err)
	}
	return line
}

func (a *api) config() *rest.Config {
	certificate := a.ca.client("admin")
	key, err := x509.MarshalECPrivateKey(certificate.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		a.t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return &rest.Config{Host: "https://" + a.address, TLSClientConfig: rest.TLSClientConfig{CAData: block("CERTIFICATE", a.ca.cert.Raw),
		CertData: block("CERTIFICATE", certificate.Certificate[0]), KeyData: block("EC PRIVATE KEY", key)}}
}

// executors are the two transports that kubectl has.
func (a *api) executors(path string) map[string]remotecommand.Executor {
	a.t.Helper()
	target, err := url.Parse("https://" + a.address + path)
	if err != nil {
		a.t.Fatal(err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(a.config(), http.MethodPost, target)
	if err != nil {
		a.t.Fatal(err)
	}
	webSocket, err := remotecommand.NewWebSocketExecutor(a.config(), http.MethodGet, target.String())
	if err != nil {
		a.t.Fatal(err)
	}
	old, err := remotecommand.NewWebSocketExecutorForProtocols(a.config(), http.MethodGet, target.String(), "v4.channel.k8s.io")
	if err != nil {
		a.t.Fatal(err)
	}
	return map[string]remotecommand.Executor{"SPDY": spdy, "WebSocket v5": webSocket, "WebSocket v4": old}
}

func TestStreams(t *testing.T) {
	a, port := pod(t)
	t.Run("exec", func(t *testing.T) {
		big := strings.Repeat("0123456789abcdef", 1<<16) // a megabyte: more than any buffer on the way
		for name, executor := range a.executors("/exec/shop/web/c?command=/program&command=cat&input=1&output=1&error=1") {
			if name == "WebSocket v4" {
				continue // cannot tell the end of standard input
			}
			var stdout, stderr bytes.Buffer
			err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: strings.NewReader(big), Stdout: &stdout, Stderr: &stderr})
			var exit utilexec.ExitError
			if !errors.As(err, &exit) || exit.ExitStatus() != 7 {
				t.Errorf("%s: ended with %v, want exit code 7", name, err)
			}
			if stdout.String() != big || stderr.String() != "done" {
				t.Errorf("%s: %d bytes came back, want %d; stderr %q", name, stdout.Len(), len(big), stderr.String())
			}
		}
	})
	t.Run("terminal", func(t *testing.T) {
		for name, executor := range a.executors("/exec/shop/web/c?command=/program&command=tty&input=1&output=1&tty=1") {
			var stdout bytes.Buffer
			stdin, typed := io.Pipe()
			go typed.Write([]byte("hello\n"))
			err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: stdin, Stdout: &stdout, Tty: true, TerminalSizeQueue: noSizes{}})
			typed.Close()
			if err != nil || stdout.String() != "hello\r\nread hello\r\n" {
				t.Errorf("%s: %q, %v", name, stdout.String(), err)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		code, body := a.get("/exec/shop/web/other?command=x&output=1")
		if code != 500 || body != `container not found ("other")` {
			t.Errorf("%d %s", code, body)
		}
		for name, executor := range a.executors("/exec/shop/web/c?command=/nonexistent&output=1") {
			err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdout: io.Discard})
			if err == nil || !strings.Contains(err.Error(), "no such file or directory") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("attach", func(t *testing.T) {
		for name, executor := range a.executors("/attach/shop/web/c?input=1&output=1") {
			ctx, cancel := context.WithCancel(t.Context())
			stdin, typed := io.Pipe()
			out := &until{want: "you said hi\n", then: cancel}
			go typed.Write([]byte("hi\n"))
			if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: out}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, %q", name, err, out.got.String())
			}
			typed.Close()
		}
	})
	t.Run("port-forward", func(t *testing.T) { forward(t, a, port) })
	t.Run("late", func(t *testing.T) { late(t, a) })
	t.Run("gone", func(t *testing.T) { leave(t, a) })
	t.Run("stats", func(t *testing.T) {
		if code, body := a.get("/stats/summary"); code != 200 || !strings.Contains(body, `"podRef":{"name":"web","namespace":"shop","uid":"uid"}`) || !strings.Contains(body, `"workingSetBytes":`) {
			t.Errorf("%d %s", code, body)
		}
		if code, body := a.get("/metrics/resource"); code != 200 || !strings.Contains(body, `container_memory_working_set_bytes{container="c",namespace="shop",pod="web"} `) {
			t.Errorf("%d %s", code, body)
		}
	})
}

// dialers are the two transports of ports that kubectl has.
func (a *api) dialers() map[string]httpstream.Dialer {
	a.t.Helper()
	target, err := url.Parse("https://" + a.address + "/portForward/shop/web")
	if err != nil {
		a.t.Fatal(err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(a.config())
	if err != nil {
		a.t.Fatal(err)
	}
	tunnelled, err := portforward.NewSPDYOverWebsocketDialer(target, a.config())
	if err != nil {
		a.t.Fatal(err)
	}
	return map[string]httpstream.Dialer{"SPDY": spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target), "WebSocket": tunnelled}
}

// listen forwards ports from those that it returns, until stop is closed.
func listen(t *testing.T, dialer httpstream.Dialer, ports ...string) (local []portforward.ForwardedPort, stop chan<- struct{}, done <-chan error) {
	t.Helper()
	stopping, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, stopping, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	if local, err = forwarder.GetPorts(); err != nil {
		t.Fatal(err)
	}
	return local, stopping, ended
}

// forward sends through a forwarded port and waits for the echo, over plain SPDY and over SPDY in a WebSocket.
func forward(t *testing.T, a *api, port string) {
	for name, dialer := range a.dialers() {
		ports, stop, done := listen(t, dialer, "0:"+port, "0:1")
		if got := echo(t, ports[0].Local); got != "through the tunnel" {
			t.Errorf("%s: echo is %q", name, got)
		}
		close(stop)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func echo(t *testing.T, port uint16) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "through the tunnel"); err != nil {
		t.Fatal(err)
	}
	// The end of what we say goes through as well: only then the echo ends.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}

// until collects output until it has what it waits for.
type until struct {
	mu   sync.Mutex
	got  bytes.Buffer
	want string
	then func()
}

func (u *until) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.got.Write(p)
	if strings.Contains(u.got.String(), u.want) {
		u.then()
	}
	return len(p), nil
}

// noSizes says nothing of the terminal's size.
type noSizes struct{}

func (noSizes) Next() *remotecommand.TerminalSize { return nil }
