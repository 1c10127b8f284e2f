package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/node/probe"
)

// bench runs probes of one container against a clock that stands still until it is moved.
type bench struct {
	*probe.Probes
	t      *testing.T
	clock  *clock
	pod    *v1.Pod
	events chan string

	mu   sync.Mutex
	exec func(cmd []string) (stdout string, code int32, err error)
}

func newBench(t *testing.T, container string) *bench {
	t.Helper()
	b := &bench{t: t, clock: &clock{now: time.Unix(1000, 0)}, events: make(chan string, 100)}
	b.pod = &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "uid"}, Spec: v1.PodSpec{Containers: []v1.Container{{Name: "c"}}}}
	if err := yaml.UnmarshalStrict([]byte(container), &b.pod.Spec.Containers[0]); err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Config{Clock: b.clock, Exec: b.run,
		Event: func(_ *v1.Pod, container, kind, reason, message string) {
			b.events <- fmt.Sprintf("%s %s %s: %s", container, kind, reason, message)
		}})
	if err != nil {
		t.Fatal(err)
	}
	b.Probes = p
	t.Cleanup(func() { p.Forget("uid") })
	return b
}

func (b *bench) run(_ context.Context, id string, cmd []string, _ time.Duration) ([]byte, []byte, int32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stdout, code, err := b.exec(cmd)
	return []byte(stdout), []byte(" in " + id), code, err
}

func (b *bench) answer(stdout string, code int32, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.exec = func([]string) (string, int32, error) { return stdout, code, err }
}

func (b *bench) watch(id string) { b.Watch(b.pod, "c", id, b.clock.Now(), "127.0.0.1") }

func (b *bench) wantResult(want string) {
	b.t.Helper()
	select {
	case r := <-b.Results():
		if got := fmt.Sprintf("%s %s %v %s", r.ContainerID, r.Kind, r.Healthy, r.Message); got != want {
			b.t.Errorf("result %q, want %q", got, want)
		}
	case <-b.t.Context().Done():
		b.t.Fatal("no result")
	}
}

func (b *bench) wantEvent(want string) {
	b.t.Helper()
	if got := <-b.events; got != want {
		b.t.Errorf("event\n%s\nwant\n%s", got, want)
	}
}

// tick waits until n probes sleep, and moves the clock.
func (b *bench) tick(n int, d time.Duration) {
	b.t.Helper()
	b.asleep(n)
	b.clock.advance(d)
}

func (b *bench) asleep(n int) {
	for b.clock.sleepers() < n {
		runtime.Gosched()
	}
}

func TestStartupComesFirst(t *testing.T) {
	b := newBench(t, `
startupProbe: {exec: {command: [started]}, periodSeconds: 1, failureThreshold: 3}
readinessProbe: {exec: {command: [ready]}, periodSeconds: 5, initialDelaySeconds: 20}
livenessProbe: {exec: {command: [live]}, periodSeconds: 10, failureThreshold: 2}`)
	var asked []string
	answers := map[string]int32{"started": 1}
	b.exec = func(cmd []string) (string, int32, error) {
		asked = append(asked, cmd[0])
		return cmd[0], answers[cmd[0]], nil
	}
	b.watch("id1")
	b.wantEvent("c Warning Unhealthy: Startup probe failed: started in id1")
	b.tick(1, time.Second)
	b.wantEvent("c Warning Unhealthy: Startup probe failed: started in id1")
	b.mu.Lock()
	answers["started"] = 0
	b.mu.Unlock()
	b.tick(1, time.Second)
	b.wantResult("id1 Startup true ")
	b.tick(2, 18*time.Second) // 20 s after the start, not after the startup probe
	b.wantResult("id1 Readiness true ")
	b.asleep(2)
	b.mu.Lock()
	answers["live"] = 7
	b.mu.Unlock()
	b.tick(2, 10*time.Second)
	b.tick(2, 10*time.Second)
	b.wantResult("id1 Liveness false live in id1")
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strings.Join(asked[:4], " "); got != "started started started live" {
		t.Errorf("asked %s", got)
	}
}

func TestFailedStartupEndsProbing(t *testing.T) {
	b := newBench(t, "{startupProbe: {exec: {command: [x]}, failureThreshold: 1}, livenessProbe: {exec: {command: [never]}}}")
	b.answer("no", 1, nil)
	b.watch("id1")
	b.wantResult("id1 Startup false no in id1")
	b.answer("yes", 0, nil)
	b.watch("id2") // a new container, a new chance
	b.wantResult("id2 Startup true ")
}

func TestRestartedAgentTrustsTheStatus(t *testing.T) {
	b := newBench(t, "{startupProbe: {exec: {command: [x]}, failureThreshold: 1}, readinessProbe: {exec: {command: [x]}, failureThreshold: 1}}")
	started := true
	b.pod.Status.ContainerStatuses = []v1.ContainerStatus{{Name: "c", ContainerID: "containerd://id1", Started: &started, Ready: true}}
	b.answer("no", 1, nil)
	b.watch("id1")
	b.wantResult("id1 Startup true ")
	b.wantResult("id1 Readiness true ")
	b.wantResult("id1 Readiness false no in id1")
}

func TestUnknownIsNoAnswer(t *testing.T) {
	b := newBench(t, "{livenessProbe: {exec: {command: [x]}, failureThreshold: 1, periodSeconds: 1}}")
	b.answer("", 0, errors.New("no such container"))
	b.watch("id1")
	b.wantEvent("c Warning Unhealthy: Liveness probe errored and resulted in unknown state: no such container")
	b.answer("", 0, status.Error(codes.DeadlineExceeded, "late"))
	b.tick(1, time.Second)
	b.wantResult(`id1 Liveness false command timed out: "x" timed out after 1s`)
}

func TestForgottenProbesEnd(t *testing.T) {
	b := newBench(t, "{readinessProbe: {exec: {command: [x]}, periodSeconds: 1}}")
	b.answer("", 0, nil)
	b.watch("id1")
	b.wantResult("id1 Readiness true ")
	b.ForgetContainer("uid", "c")
	b.answer("gone", 1, nil)
	b.watch("id2")
	b.wantEvent("c Warning Unhealthy: Readiness probe failed: gone in id2")
}

// once watches a readiness probe with a threshold of one and returns its message: an event's, or "ok".
func once(t *testing.T, handler string) string {
	t.Helper()
	b := newBench(t, "{ports: [{name: http, containerPort: 1}], readinessProbe: {timeoutSeconds: 1, failureThreshold: 1, "+handler+"}}")
	b.watch("id")
	b.asleep(1)
	select {
	case event := <-b.events:
		_, message, _ := strings.Cut(event, "Readiness probe ")
		return message
	default:
		b.wantResult("id Readiness true ")
		return "ok"
	}
}

func TestHTTPGet(t *testing.T) {
	handler := http.NewServeMux()
	handler.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "shop.example" || r.Header.Get("X-Two") != "2" || r.UserAgent() != "kube-probe/1.36" || r.Header.Get("Accept") != "*/*" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	handler.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "password", http.StatusBadGateway) })
	handler.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/plain", http.StatusFound) })
	handler.HandleFunc("/plain", func(http.ResponseWriter, *http.Request) {})
	handler.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://other.example/", http.StatusFound)
	})
	hang := make(chan struct{})
	handler.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { <-hang })
	plain, encrypted := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer encrypted.Close()
	defer close(hang)
	_, port, _ := net.SplitHostPort(plain.Listener.Addr().String())
	_, tlsPort, _ := net.SplitHostPort(encrypted.Listener.Addr().String())
	headers := "httpHeaders: [{name: Host, value: shop.example}, {name: x-two, value: '2'}]"
	for get, want := range map[string]string{
		"port: " + port + ", path: /ok, " + headers:                         "ok",
		"port: " + tlsPort + ", path: '/ok?q=1', scheme: HTTPS, " + headers: "ok",
		"port: " + port + ", path: /secret":                                 "failed: HTTP probe failed with statuscode: 502",
		"port: " + port + ", path: /here":                                   "ok",
		"port: " + port + ", path: /away":                                   "warning: Probe terminated redirects, Response body: <a href=\"http://other.example/\">Found</a>.\n\n",
		"port: " + port + ", path: /hang":                                   "failed: Get \"http://127.0.0.1:" + port + "/hang\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
		"port: http":                                                        "failed: Get \"http://127.0.0.1:1\": dial tcp 127.0.0.1:1: connect: connection refused",
		"port: nonesuch":                                                    "errored and resulted in unknown state: invalid port number: nonesuch",
	} {
		if got := once(t, "httpGet: {"+get+"}"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", get, got, want)
		}
	}
}

func TestTCPSocket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if got := once(t, "tcpSocket: {port: "+port+"}"); got != "ok" {
		t.Error(got)
	}
	if got := once(t, "tcpSocket: {port: http}"); got != "failed: dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Error(got)
	}
}

func TestGRPC(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, checks := grpc.NewServer(), health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, checks)
	checks.SetServingStatus("sick", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	go server.Serve(listener)
	defer server.Stop()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for action, want := range map[string]string{
		"port: " + port:                      "ok",
		"port: " + port + ", service: sick":  `failed: service unhealthy (responded with "NOT_SERVING")`,
		"port: " + port + ", service: other": "failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
		"port: 1":                            `failed: error: failed to connect service at "127.0.0.1:1": dial tcp 127.0.0.1:1: connect: connection refused`,
	} {
		if got := once(t, "grpc: {"+action+"}"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", action, got, want)
		}
	}
}

func TestExecKnowsTheSpecsVariables(t *testing.T) {
	b := newBench(t, `
env: [{name: A, value: a}, {name: B, value: $(A)b}, {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
readinessProbe: {exec: {command: ["$(B)", "$(C)", "$$(A)"]}}`)
	asked := make(chan string, 1)
	b.exec = func(cmd []string) (string, int32, error) { asked <- strings.Join(cmd, " "); return "", 0, nil }
	b.watch("id")
	if got := <-asked; got != "ab $(C) $(A)" {
		t.Errorf("asked %q", got)
	}
}

// clock stands still until it is moved. Who waits counts as a sleeper until the time has come.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiter
}

type waiter struct {
	at time.Time
	ch chan time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := waiter{c.now.Add(d), make(chan time.Time, 1)}
	c.waiting = append(c.waiting, w)
	return w.ch
}

func (c *clock) sleepers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	var still []waiter
	for _, w := range c.waiting {
		if w.at.After(c.now) {
			still = append(still, w)
			continue
		}
		w.ch <- c.now
	}
	c.waiting = still
}
