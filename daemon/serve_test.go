package daemon

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// served is an API server on a port of its own, and its administrator.
type served struct {
	t      *testing.T
	c      *control
	config *rest.Config
	client *http.Client
	url    string
	ended  chan error
}

// startServed serves the API until ctx ends.
func startServed(ctx context.Context, t *testing.T) *served {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, resources: [{resources: [configmaps]}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := &Config{DataDir: filepath.Join(dir, "data"), RunDir: filepath.Join(dir, "run"), NodeName: "a", APIPort: uint16(port), Log: slog.New(slog.DiscardHandler)}
	cfg.Audit.PolicyFile, cfg.Audit.LogPath = policy, filepath.Join(dir, "audit.log")
	if err := cfg.Default(); err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		s.ended <- run(ctx, cfg, func(ctx context.Context, parts *group) (func() error, error) {
			c, err := openControl(cfg)
			if err != nil {
				return nil, err
			}
			s.c = c
			c.startServing(ctx, parts)
			if err := c.bootstrap(ctx); err != nil {
				return c.close, err
			}
			if err := c.keys.WriteKubeconfig(cfg.Kubeconfig, cfg.apiURL(), c.keys.Admin()); err != nil {
				return c.close, err
			}
			close(ready)
			return c.close, nil
		})
	}()
	select {
	case <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	if s.config, err = clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	if s.client, err = rest.HTTPClientFor(s.config); err != nil {
		t.Fatal(err)
	}
	s.url = "https://" + l.Addr().String()
	return s
}

func (s *served) request(method, path string, body io.Reader) *http.Response {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// inside asks without a connection.
func (s *served) inside(path string) (int, string) {
	w := httptest.NewRecorder()
	s.c.door.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// writing and reading are how many requests are under way.
func (s *served) writing() float64 { return s.underWay("mutating") }
func (s *served) reading() float64 { return s.underWay("readOnly") }

func (s *served) underWay(kind string) float64 {
	for _, family := range s.c.api.Measures() {
		for _, sample := range family.Samples {
			if family.Name == "apiserver_current_inflight_requests" && sample.Values[0] == kind {
				return sample.Value
			}
		}
	}
	s.t.Fatal("requests under way are not counted")
	return 0
}

// A server that is to stop is first no longer ready. Watches end as they should, what was under way finishes and is written
// down, what comes then is refused, and the store is closed last.
func TestStopInOrder(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := startServed(ctx, t)
	watch := s.request("GET", "/api/v1/configmaps?watch=1&fieldSelector=metadata.name%3Dx", nil)
	defer watch.Body.Close()
	body, more := io.Pipe()
	slow := make(chan *http.Response)
	go func() { slow <- s.request("POST", "/api/v1/namespaces/default/configmaps", body) }()
	if _, err := more.Write([]byte(`{"metadata":`)); err != nil { // returns when the client took it
		t.Fatal(err)
	}
	for s.writing() == 0 {
		time.Sleep(time.Millisecond)
	}
	if code, text := s.inside("/readyz"); code != http.StatusOK {
		t.Errorf("before: %d %s", code, text)
	}
	stop()
	if rest, err := io.ReadAll(bufio.NewReader(watch.Body)); err != nil || len(rest) != 0 {
		t.Errorf("the watch ended with %q, %v", rest, err)
	}
	if code, text := s.inside("/readyz"); code != http.StatusInternalServerError || !strings.Contains(text, "[-]shutdown failed: reason withheld") {
		t.Errorf("readyz: %d %s", code, text)
	}
	if code, text := s.inside("/livez"); code != http.StatusOK {
		t.Errorf("livez: %d %s", code, text)
	}
	if code, text := s.inside("/api/v1/configmaps"); code != http.StatusTooManyRequests {
		t.Errorf("a request while the server stops: %d %s", code, text)
	}
	for {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "https://"), time.Second)
		if err != nil {
			break // the port is closed
		}
		conn.Close()
	}
	if _, err := more.Write([]byte(`{"name":"slow"}}`)); err != nil {
		t.Fatal(err)
	}
	more.Close()
	answer := <-slow
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusCreated || !strings.Contains(string(text), `"slow"`) {
		t.Errorf("the request under way: %d %s %v", answer.StatusCode, text, err)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(s.c.cfg.Audit.LogPath)
	if err != nil || !strings.Contains(string(log), `"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/configmaps"`) {
		t.Errorf("the audit log, %v:\n%s", err, log)
	}
}
