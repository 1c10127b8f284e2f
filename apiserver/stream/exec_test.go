package stream_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
)

const podPath = "/api/v1/namespaces/a/pods/p/"

// Bytes go both ways, whatever protocol they are of, to the address of the pod's node and nowhere else.
func TestStreamsAreSpliced(t *testing.T) {
	for _, c := range []struct{ method, protocol, path, onNode string }{
		{"POST", "SPDY/3.1", "exec?command=sh&command=-c&stdin=true&stdout=1&tty=false&unknown=x", "POST /exec/a/p/one?command=sh&command=-c&input=1&output=1"},
		{"GET", "websocket", "exec?command=sh&container=one&stderr=true", "GET /exec/a/p/one?command=sh&error=1"},
		{"GET", "websocket", "attach?stdin=true&tty=true", "GET /attach/a/p/one?input=1&tty=1"},
		{"POST", "SPDY/3.1", "portforward", "POST /portForward/a/p"},
		{"GET", "websocket", "portforward?ports=80,81&ports=82", "GET /portForward/a/p?port=80%2C81%2C82"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			w := newWorld(t)
			w.node = echo
			conn, reader, response := w.upgrade(c.method, podPath+c.path, c.protocol)
			if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Upgrade") != c.protocol {
				t.Fatalf("%v", response)
			}
			if response.Header.Get("X-Saw-Credentials") != "false" {
				t.Error("the node saw the user's credentials")
			}
			fmt.Fprint(conn, "hello")
			got := make([]byte, 5)
			if _, err := io.ReadFull(reader, got); err != nil || string(got) != "hello" {
				t.Fatalf("%q %v", got, err)
			}
			conn.Close()
			w.drained()
			if fmt.Sprint(w.mu.asked) != "["+c.onNode+"]" || fmt.Sprint(w.dialled()) != "["+nodeAddress+":10250]" {
				t.Errorf("asked %v at %v", w.mu.asked, w.dialled())
			}
		})
	}
}

// A stream needs "create", also when a WebSocket opens it with a GET.
func TestStreamsNeedCreate(t *testing.T) {
	for _, path := range []string{podPath + "exec?command=id", podPath + "attach", podPath + "portforward?ports=80",
		"/api/v1/nodes/node-1/proxy/exec/a/p/one?command=id", "/api/v1/nodes/node-1:10250/proxy/run/a/p/one",
		"/api/v1/nodes/node-1/proxy/x/../exec/a/p/one", "/api/v1/nodes/node-1/proxy//portForward/a/p"} {
		w := newWorld(t)
		w.node = echo
		w.allow(func(a auth.Attributes) bool { return a.Verb == "get" })
		_, _, response := w.upgrade("GET", path, "websocket")
		if response.StatusCode != http.StatusForbidden || len(w.dialled()) != 0 {
			t.Errorf("%s: %d, dialled %v", path, response.StatusCode, w.dialled())
		}
		w.allow(func(a auth.Attributes) bool {
			return a.Verb == "create" && a.User.Name == "ann" && a.Name != "" && a.Subresource != ""
		})
		if _, _, response := w.upgrade("GET", path, "websocket"); response.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("%s: %d with create, so the test proves nothing", path, response.StatusCode)
		}
	}
}

// Without an upgrade, GET on these paths of a node is refused just the same.
func TestNodeProxyPathsThatRun(t *testing.T) {
	w := newWorld(t)
	w.node = func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "ran") }
	w.allow(func(a auth.Attributes) bool { return false })
	for _, path := range []string{"run/a/p/one?cmd=id", "exec/a/p/one", "cri/exec/token", "EXEC/a/p/one"} {
		if response, body := w.get("/api/v1/nodes/node-1/proxy/" + path); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	if response, body := w.get("/api/v1/nodes/node-1/proxy/healthz"); response.StatusCode != http.StatusOK || body != "ran" {
		t.Errorf("healthz: %d %s", response.StatusCode, body)
	}
}

// When the node does not upgrade, the client gets the node's answer and no connection to the node stays open: with one
// that did, the client could go on and ask the node anything as the API server (CVE-2018-1002105).
func TestFailedUpgradeLeavesNothingOpen(t *testing.T) {
	for _, c := range []struct {
		node http.HandlerFunc
		want int
	}{
		{func(rw http.ResponseWriter, r *http.Request) {
			http.Error(rw, "no such container", http.StatusNotFound)
		}, http.StatusNotFound},
		{func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "fine") }, http.StatusInternalServerError},
		{func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://169.254.169.254/", http.StatusFound)
		}, http.StatusInternalServerError},
	} {
		w := newWorld(t)
		w.node = c.node
		conn, reader, response := w.upgrade("GET", podPath+"exec?command=id", "websocket")
		if response.StatusCode != c.want {
			t.Errorf("status %d, want %d", response.StatusCode, c.want)
		}
		fmt.Fprint(conn, "GET /runningpods HTTP/1.1\r\nHost: x\r\n\r\n")
		w.drained()
		if n := len(w.mu.asked); n != 1 {
			t.Errorf("the node was asked %d times: %v", n, w.mu.asked)
		}
		if got := w.dialled(); len(got) != 1 {
			t.Errorf("a redirect was followed: %v", got)
		}
		_, _ = reader.Peek(1)
	}
}

func TestStreamRefusals(t *testing.T) {
	for _, c := range []struct {
		change func(w *world)
		path   string
		want   string
	}{
		{nil, podPath + "exec?container=two", "400 container two is not valid for pod p"},
		{func(w *world) { w.put(podOn(nodeName, "one", "two")) }, podPath + "exec", "400 a container name must be specified for pod p, choose one of: [one two]"},
		{func(w *world) { w.put(podOn("", "one")) }, podPath + "attach", "400 pod p does not have a host assigned"},
		{nil, "/api/v1/namespaces/a/pods/none/exec", `404 pods "none" not found`},
		{func(w *world) { w.put(podOn("gone", "one")) }, podPath + "exec", `404 nodes "gone" not found`},
		{nil, podPath + "portforward?ports=80,x", `400 unable to parse "x" as a port`},
		{func(w *world) {
			w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Status: corev1.NodeStatus{
				Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}, {Type: corev1.NodeExternalIP, Address: "169.254.169.254"}}}})
		}, podPath + "exec", "address not allowed"},
	} {
		w := newWorld(t)
		w.node = echo
		if c.change != nil {
			c.change(w)
		}
		_, _, response := w.upgrade("GET", c.path, "websocket")
		body, _ := io.ReadAll(response.Body)
		if got := message(string(body)); !strings.Contains(got, c.want) || len(w.dialled()) != 0 {
			t.Errorf("%s: %s, dialled %v; want %s", c.path, got, w.dialled(), c.want)
		}
	}
	w := newWorld(t)
	if _, body := w.get(podPath + "exec"); message(body) != "400 Upgrade request required" {
		t.Error(message(body))
	}
}

// A node that shows another node's certificate is not talked to.
func TestNodeMustBeItself(t *testing.T) {
	w := newWorld(t)
	w.node = echo
	other := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-2"}, Status: corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: nodeAddress}}}}
	w.put(other)
	w.put(podOn("node-2", "one"))
	if _, _, response := w.upgrade("GET", podPath+"exec", "websocket"); response.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", response.StatusCode)
	}
	w.drained()
	if len(w.mu.asked) != 0 {
		t.Errorf("asked %v", w.mu.asked)
	}
}
