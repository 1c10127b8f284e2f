package apiserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// socket opens a watch as a WebSocket.
func (p *place) socket(t *testing.T, query, accept string) *websocket.Conn {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial(strings.Replace(p.http.URL, "http", "ws", 1)+"/api/v1/namespaces/n/configmaps?watch=1&"+query, http.Header{"X-User": {"admin"}, "Accept": {accept}})
	if err != nil {
		t.Fatalf("%v %v", err, resp)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A watch over a WebSocket, as browsers open it, has one message for each event, and ends as either side wants.
func TestWatchOverWebSocket(t *testing.T) {
	p := newPlace(t)
	p.create(t, "n", "a", "x")
	text, binary := p.socket(t, "", "application/json"), p.socket(t, "", "application/vnd.kubernetes.protobuf;stream=watch")
	p.following(2)
	if resp := p.do("POST /api/v1/namespaces/n/configmaps\nX-Grow: 50000\n\n" + `{"metadata":{"name":"b"},"data":{"long":"GROW"}}`); resp.StatusCode != http.StatusCreated { // in parts
		t.Fatal(p.show(resp, false))
	}
	for _, want := range []string{"ADDED a", "ADDED b"} {
		kind, message, err := text.ReadMessage()
		var event struct {
			Type   string
			Object struct{ Metadata struct{ Name string } }
		}
		if err != nil || kind != websocket.TextMessage || json.Unmarshal(message, &event) != nil || fmt.Sprint(event.Type, " ", event.Object.Metadata.Name) != want {
			t.Errorf("message %d %s, %v; want %s", kind, message, err, want)
		}
		kind, message, err = binary.ReadMessage()
		var framed metav1.WatchEvent
		if err != nil || kind != websocket.BinaryMessage || framed.Unmarshal(message) != nil {
			t.Fatalf("message %d %q, %v", kind, message, err)
		}
		var envelope runtime.Unknown
		if err := envelope.Unmarshal(framed.Object.Raw[4:]); err != nil || framed.Type != "ADDED" || envelope.Kind != "ConfigMap" {
			t.Errorf("%s of %s, %v", framed.Type, envelope.Kind, err)
		}
	}
	text.Close() // by the client: the watch ends with it
	if err := p.server.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := binary.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("by the server: %v", err)
	}
}

// What is wrong with the request is told in plain HTTP.
func TestRefusedWebSocket(t *testing.T) {
	p := newPlace(t)
	for query, want := range map[string]int{"fieldSelector=bad%3Dx": http.StatusBadRequest, "resourceVersion=x": http.StatusInternalServerError} {
		_, resp, err := websocket.DefaultDialer.Dial(strings.Replace(p.http.URL, "http", "ws", 1)+"/api/v1/configmaps?watch=1&"+query, http.Header{"X-User": {"admin"}})
		if err == nil || resp == nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v", query, resp, err)
		}
	}
}
