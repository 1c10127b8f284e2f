package edge_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"proa/client/fake"
	"proa/kinds"
	"proa/network/edge"
)

// TestSync plays testdata/routes.txt: "put" stores objects, and the routes that follow from all of them are printed.
func TestSync(t *testing.T) {
	datadriven.RunTest(t, "testdata/routes.txt", func(t *testing.T, d *datadriven.TestData) string {
		table := kinds.Builtin()
		api := fake.New(fake.Config{Kinds: table})
		for i, doc := range strings.Split(d.Input, "\n---\n") {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatal(err)
			}
			row := table.ByKind(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
			obj := row.New()
			if err := yaml.UnmarshalStrict([]byte(doc), obj); err != nil {
				t.Fatal(err)
			}
			if row.Namespaced {
				obj.SetNamespace("shop")
			}
			obj.SetCreationTimestamp(metav1.NewTime(time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)))
			api.Put(obj)
		}
		file := filepath.Join(t.TempDir(), "routes.json")
		s := edge.NewSync(edge.SyncConfig{Client: api.As("edge"), File: file, Changed: func() error { return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		<-s.Ready()
		cancel()
		<-done
		routes, err := edge.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(routes)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	})
}

// house is a door on loopback, and pods that say who they are.
type house struct {
	t             *testing.T
	door          *edge.Door
	plain, secure string
}

func newHouse(t *testing.T) *house {
	door, err := edge.NewDoor(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var at [2]net.Listener
	for i := range at {
		if at[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- door.Run(ctx, at[0], at[1], time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &house{t, door, at[0].Addr().String(), at[1].Addr().String()}
}

// pod serves its name, and what it knows of the client.
func (h *house) pod(name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "echo" {
			conn, buffered, err := w.(http.Hijacker).Hijack()
			if err != nil {
				h.t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			line, _ := buffered.ReadString('\n')
			fmt.Fprint(conn, name+" says "+line)
			return
		}
		fmt.Fprintf(w, "%s %s %s %s", name, r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"))
	}))
	h.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func (h *house) get(host, path string) string {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://"+h.plain+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Host = host
	r.Header.Set("X-Forwarded-For", "192.0.2.9")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	name, _, _ := strings.Cut(string(body), " ")
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return name
}

func TestRequestsFindTheirPods(t *testing.T) {
	h := newHouse(t)
	h.door.Serve(&edge.Routes{
		Rules: []edge.Rule{
			{Host: "a.example.com", Path: "/", Backend: "root"},
			{Host: "a.example.com", Path: "/x", Backend: "x"},
			{Host: "a.example.com", Path: "/x/y", Exact: true, Backend: "exact"},
			{Host: "*.example.com", Path: "/", Backend: "wild"},
			{Host: "empty.example.org", Backend: "empty"},
			{Path: "/any", Backend: "any"},
		},
		Backends: map[string][]string{
			"root": {h.pod("root")}, "x": {h.pod("x")}, "exact": {h.pod("exact")}, "wild": {h.pod("wild")}, "any": {h.pod("any")}, "empty": {},
		},
	})
	for _, c := range []struct{ host, path, want string }{
		{"a.example.com", "/", "root"},
		{"A.Example.Com:80", "/other", "root"},
		{"a.example.com", "/x", "x"},
		{"a.example.com", "/x/", "x"},
		{"a.example.com", "/x/y", "exact"},
		{"a.example.com", "/x/y/z", "x"},
		{"a.example.com", "/xy", "root"},
		{"b.example.com", "/x", "wild"},
		{"c.b.example.com", "/x", "404 Not Found"},
		{"c.b.example.com", "/any/thing", "any"},
		{"empty.example.org", "/", "503 Service Unavailable"},
	} {
		if got := h.get(c.host, c.path); got != c.want {
			t.Errorf("%s%s: %s, want %s", c.host, c.path, got, c.want)
		}
	}
}

func TestPodsLearnOfTheClient(t *testing.T) {
	h := newHouse(t)
	h.door.Serve(&edge.Routes{Rules: []edge.Rule{{Backend: "pod"}}, Backends: map[string][]string{"pod": {h.pod("pod")}}})
	r, err := http.NewRequest(http.MethodGet, "https://"+h.secure, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.example.com"
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if got, want := string(body), "pod shop.example.com 127.0.0.1 https"; got != want {
		t.Errorf("the pod saw %q, want %q", got, want)
	}
}

func TestUpgradedConnections(t *testing.T) {
	h := newHouse(t)
	h.door.Serve(&edge.Routes{Rules: []edge.Rule{{Backend: "pod"}}, Backends: map[string][]string{"pod": {h.pod("pod")}}})
	conn, err := net.Dial("tcp", h.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "hello\n") // not before the answer: till then it would be part of the request
	line, err := r.ReadString('\n')
	if response.StatusCode != http.StatusSwitchingProtocols || line != "pod says hello\n" {
		t.Errorf("an upgraded connection: %s, %q, %v", response.Status, line, err)
	}
}

// While pods come and go, and some addresses lead nowhere, no request fails.
func TestNoRequestFailsWhileRoutesChange(t *testing.T) {
	h := newHouse(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := dead.Addr().String()
	dead.Close()
	one, two := h.pod("one"), h.pod("two")
	sets := [][]string{{one}, {one, two}, {nobody, two}, {nobody, one, two}}
	serve := func(i int) {
		h.door.Serve(&edge.Routes{Rules: []edge.Rule{{Host: "shop", Backend: "b"}}, Backends: map[string][]string{"b": slices.Clone(sets[i%len(sets)])}})
	}
	serve(0)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := h.get("shop", "/"); got != "one" && got != "two" {
					t.Errorf("a request was answered %s", got)
					return
				}
			}
		})
	}
	for i := range 200 {
		serve(i)
		if got := h.get("shop", "/"); got != "one" && got != "two" {
			t.Errorf("a request was answered %s", got)
		}
	}
	close(stop)
	clients.Wait()
}

// A request that was sent to an address where nobody is arrives, whole, at another: whatever its body, and however many ask.
func TestDeadAddressesAreTriedNoMoreThanOnce(t *testing.T) {
	h := newHouse(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := dead.Addr().String()
	dead.Close()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(echo.Close)
	h.door.Serve(&edge.Routes{
		Rules:    []edge.Rule{{Backend: "b"}},
		Backends: map[string][]string{"b": {nobody, nobody, echo.Listener.Addr().String()}},
	})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 50 {
				response, err := http.Post("http://"+h.plain, "text/plain", strings.NewReader("cargo"))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || string(body) != "cargo" {
					t.Errorf("answered %s %q, %v", response.Status, body, err)
					return
				}
			}
		})
	}
	clients.Wait()
}
