package stream_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func say(rw http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(rw, "%s %s %v", r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"))
}

func (w *world) putService() {
	w.put(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web"}, Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}})
	address := func(ip, pod string) corev1.EndpointAddress {
		return corev1.EndpointAddress{IP: ip, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "a", Name: pod}}
	}
	w.put(&corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web"}, Subsets: []corev1.EndpointSubset{{
		// Only the first is an address that its pod has. The others are what somebody who may write endpoints would try.
		Addresses: []corev1.EndpointAddress{address("10.1.2.3", "p"), address("10.9.9.9", "p"), address("169.254.169.254", "p"),
			address("127.0.0.1", "p"), address("10.1.2.3", "none"), {IP: "10.1.2.3"}},
		Ports: []corev1.EndpointPort{{Name: "http", Port: 8443}},
	}}})
}

func TestProxyPaths(t *testing.T) {
	for _, c := range []struct{ path, want, dialled string }{
		{podPath + "proxy/x/y?q=1", "GET /x/y?q=1 ", "10.1.2.3:8080"},
		{"/api/v1/namespaces/a/pods/p:9/proxy/", "GET / ", "10.1.2.3:9"},
		{"/api/v1/namespaces/a/pods/https:p:443/proxy/s/", "GET /s/ ", "10.1.2.3:443"},
		{"/api/v1/namespaces/a/services/web:http/proxy/x", "GET /x ", "10.1.2.3:8443"},
		{"/api/v1/namespaces/a/services/web:80/proxy/x/", "GET /x/ ", "10.1.2.3:8443"},
		{"/api/v1/namespaces/a/services/http:web:http/proxy/a%20b", "GET /a%20b ", "10.1.2.3:8443"},
		{"/api/v1/nodes/node-1/proxy/metrics", "GET /metrics ", nodeAddress + ":10250"},
		{"/api/v1/nodes/node-1:10250/proxy/metrics", "GET /metrics ", nodeAddress + ":10250"},
		{"/api/v1/nodes/node-1:9100/proxy/metrics", "GET /metrics ", nodeAddress + ":9100"},
	} {
		w := newWorld(t)
		w.node = say
		w.putService()
		_, body := w.get(c.path)
		if body != c.want || fmt.Sprint(w.dialled()) != "["+c.dialled+"]" {
			t.Errorf("%s: %q at %v", c.path, message(body), w.dialled())
		}
	}
}

func TestProxyRefusals(t *testing.T) {
	for _, c := range []struct {
		podIP, path, want string
	}{
		{"127.0.0.1", podPath + "proxy/", "400 address not allowed"},
		{"169.254.169.254", podPath + "proxy/", "400 address not allowed"},
		{"::ffff:127.0.0.1", podPath + "proxy/", "400 address not allowed"},
		{"fe80::1", podPath + "proxy/", "400 address not allowed"},
		{"", podPath + "proxy/", "400 address not allowed"},
		{"metadata.internal", podPath + "proxy/", "400 address not allowed"},
		{"10.1.2.3", "/api/v1/namespaces/a/services/web:81/proxy/", `503 no service port 81 found for service "web"`},
		{"10.1.2.3", "/api/v1/namespaces/a/services/web:other/proxy/", `503 no endpoints available for service "web:other"`},
		{"10.4.4.4", "/api/v1/namespaces/a/services/web:http/proxy/", `503 no endpoints available for service "web:http"`},
		{"10.1.2.3", "/api/v1/namespaces/a/services/a:b:c:d/proxy/", `400 invalid service request "a:b:c:d"`},
		{"10.1.2.3", "/api/v1/namespaces/a/services/ftp:web:80/proxy/", `400 invalid service request "ftp:web:80"`},
		{"10.1.2.3", "/api/v1/nodes/none/proxy/", `404 nodes "none" not found`},
	} {
		w := newWorld(t)
		w.node = say
		w.putService()
		pod := podOn(nodeName, "one")
		pod.Status = corev1.PodStatus{PodIP: c.podIP, PodIPs: []corev1.PodIP{{IP: c.podIP}}}
		w.put(pod)
		if _, body := w.get(c.path); message(body) != c.want || len(w.dialled()) != 0 {
			t.Errorf("%s with %q: %s, dialled %v", c.path, c.podIP, message(body), w.dialled())
		}
	}
}

// A redirect is the client's to follow, or not: the API server goes nowhere it was not sent.
func TestProxyFollowsNoRedirect(t *testing.T) {
	w := newWorld(t)
	w.node = func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
	}
	if response, _ := w.get(podPath + "proxy/x"); response.StatusCode != http.StatusFound || len(w.dialled()) != 1 {
		t.Errorf("%d, dialled %v", response.StatusCode, w.dialled())
	}
	if response, body := w.get(podPath + "log"); response.StatusCode != http.StatusInternalServerError || len(w.dialled()) != 2 {
		t.Errorf("%d %s, dialled %v", response.StatusCode, body, w.dialled())
	}
}

func TestLog(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"", "GET /containerLogs/a/p/one?stream=All "},
		{"?container=one&tailLines=5&previous=true&timestamps=1&limitBytes=9", "GET /containerLogs/a/p/one?limitBytes=9&previous=true&stream=All&tailLines=5&timestamps=true "},
		{"?sinceTime=2026-01-01T00:00:00Z", "GET /containerLogs/a/p/one?sinceTime=2026-01-01T00%3A00%3A00Z&stream=All "},
		{"?container=two", "400 container two is not valid for pod p"},
		{"?tailLines=-1", `422 PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0`},
		{"?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", "422 PodLogOptions \"p\" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"},
		{"?limitBytes=0", `422 PodLogOptions "p" is invalid: limitBytes: Invalid value: 0: must be greater than 0`},
	} {
		w := newWorld(t)
		w.node = say
		if _, body := w.get(podPath + "log" + c.query); message(body) != c.want {
			t.Errorf("%s: %s\nwant %s", c.query, message(body), c.want)
		}
	}
	w := newWorld(t)
	w.put(podOn("", "one"))
	if response, body := w.get(podPath + "log"); response.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("pod without a node: %d %s", response.StatusCode, body)
	}
	w = newWorld(t)
	w.node = func(rw http.ResponseWriter, r *http.Request) {
		http.Error(rw, "container is waiting to start", http.StatusBadRequest)
	}
	if _, body := w.get(podPath + "log"); strings.TrimSpace(message(body)) != "400 container is waiting to start" {
		t.Error(message(body))
	}
}

// A log can be read over a WebSocket: an empty message says that it is open, and the end is an orderly one.
func TestLogOverWebSocket(t *testing.T) {
	w := newWorld(t)
	w.node = say
	const line = "GET /containerLogs/a/p/one?stream=All "
	for protocol, want := range map[string]string{"": line, "binary.k8s.io": line, "base64.binary.k8s.io": base64.StdEncoding.EncodeToString([]byte(line))} {
		dialer := websocket.Dialer{}
		if protocol != "" {
			dialer.Subprotocols = []string{"other", protocol}
		}
		header := http.Header{"Origin": {"http://elsewhere"}}
		conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(w.api.URL, "http")+podPath+"log", header)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var got []string
		for err == nil {
			var message []byte
			if _, message, err = conn.ReadMessage(); err == nil {
				got = append(got, string(message))
			}
		}
		if !websocket.IsCloseError(err, websocket.CloseNormalClosure) || conn.Subprotocol() != protocol || !slices.Equal(got, []string{"", want}) {
			t.Errorf("%s: %q in %q, %v", protocol, got, conn.Subprotocol(), err)
		}
	}
	dialer := websocket.Dialer{Subprotocols: []string{"other"}}
	if _, response, err := dialer.Dial("ws"+strings.TrimPrefix(w.api.URL, "http")+podPath+"log", nil); err == nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown protocol: %v, %v", response, err)
	}
}

// Who follows a log sees a line when it is written, not when the buffer is full.
func TestLogFollows(t *testing.T) {
	w := newWorld(t)
	next := make(chan string)
	w.node = func(rw http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(rw).Flush()
		for line := range next {
			fmt.Fprint(rw, line)
			_ = http.NewResponseController(rw).Flush()
		}
	}
	response, err := http.Get(w.api.URL + podPath + "log?follow=true")
	if err == nil {
		defer response.Body.Close()
		for _, line := range []string{"one\n", "two\n"} {
			next <- line
			got := make([]byte, len(line))
			if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != line {
				t.Errorf("%q %v", got, err)
			}
		}
	} else {
		t.Error(err)
	}
	close(next)
}
