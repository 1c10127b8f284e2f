package verbs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

var errNoSocket = errors.New("the connection is no WebSocket")

// socket sends what is written to a watch as messages of a WebSocket, one for each event. It becomes one when the head of the
// answer is written, so that what is wrong with the request is still told in plain HTTP.
type socket struct {
	http.ResponseWriter
	request *http.Request
	gone    context.CancelFunc // called when the client leaves
	conn    *websocket.Conn    // nil before the head, and when the client's handshake was wrong
	frames  bool               // what is written is protobuf behind its length, not lines of JSON
	partial []byte             // of an event that is not whole yet
}

// asSocket is w, or what turns it into a WebSocket if the client asks for one. The second result ends it.
func asSocket(w http.ResponseWriter, r *http.Request, gone context.CancelFunc) (http.ResponseWriter, func()) {
	if !websocket.IsWebSocketUpgrade(r) {
		return w, func() {}
	}
	s := &socket{ResponseWriter: w, request: r, gone: gone}
	return s, s.close
}

func (s *socket) WriteHeader(code int) {
	if code != http.StatusOK {
		s.ResponseWriter.WriteHeader(code)
		return
	}
	s.frames = s.Header().Get("Content-Type") != "application/json"
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // nobody is known by a cookie that a page could borrow
	if asked := websocket.Subprotocols(s.request); len(asked) > 0 {
		upgrader.Subprotocols = asked[:1] // upstream takes any, and heeds none
	}
	conn, err := upgrader.Upgrade(s.ResponseWriter, s.request, nil)
	if err != nil {
		s.gone() // the client was told
		return
	}
	s.conn = conn
	go func() {
		defer s.gone()
		for { // clients have nothing to say; it is read to learn that they left
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
}

// Write takes events in parts of any size, and sends those that are whole.
func (s *socket) Write(part []byte) (int, error) {
	if s.conn == nil {
		return 0, errNoSocket
	}
	s.partial = append(s.partial, part...)
	sent := 0
	for {
		event, next := s.event(s.partial[sent:])
		if next == 0 {
			break
		}
		kind := websocket.TextMessage
		if s.frames {
			kind = websocket.BinaryMessage
		}
		if err := s.conn.WriteMessage(kind, event); err != nil {
			return 0, err
		}
		sent += next
	}
	if s.partial = append(s.partial[:0], s.partial[sent:]...); len(s.partial) == 0 {
		s.partial = nil // a quiet watch keeps nothing
	}
	return len(part), nil
}

// event is the first event in what was written, and where the next begins: 0 if it is not whole.
func (s *socket) event(written []byte) (event []byte, next int) {
	if !s.frames {
		next = bytes.IndexByte(written, '\n') + 1
		return written[:next], next
	}
	if len(written) < 4 || uint64(len(written)-4) < uint64(binary.BigEndian.Uint32(written)) {
		return nil, 0
	}
	next = 4 + int(binary.BigEndian.Uint32(written))
	return written[4:next], next
}

// Flush has nothing to do: messages are sent when they are written.
func (s *socket) Flush() {}

func (s *socket) close() {
	if s.conn == nil {
		return
	}
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second)) // the client may be gone
	_ = s.conn.Close()
}
