package stream

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/gorilla/websocket"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The protocols that a log can be read in over a WebSocket. A client that names none gets the first.
const (
	binaryProtocol = "binary.k8s.io"
	base64Protocol = "base64.binary.k8s.io"
)

// sendLog copies a log to a WebSocket: an empty message first, which says that it is open, then the bytes as they come. What the
// client sends is read only to learn that it went away.
func sendLog(w http.ResponseWriter, r *http.Request, from io.ReadCloser) error {
	asked := websocket.Subprotocols(r)
	known := func(p string) bool { return p == binaryProtocol || p == base64Protocol }
	if len(asked) > 0 && !slices.ContainsFunc(asked, known) {
		return apierrors.NewBadRequest(fmt.Sprintf("requested protocol(s) are not supported: %v; supports [%s %s]", asked, binaryProtocol, base64Protocol))
	}
	upgrader := websocket.Upgrader{
		Subprotocols: []string{binaryProtocol, base64Protocol},
		CheckOrigin:  func(*http.Request) bool { return true }, // nobody is known by a cookie that a page could borrow
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil //nolint:nilerr // the client was told
	}
	defer conn.Close()
	go func() {
		defer from.Close() // ends the copy
		for {
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
	if copyMessages(conn, from) == nil {
		_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	}
	return nil
}

// copyMessages returns nil when the log ended, and an error when the client went away.
func copyMessages(conn *websocket.Conn, from io.Reader) error {
	send := func(part []byte) error { return conn.WriteMessage(websocket.BinaryMessage, part) }
	if conn.Subprotocol() == base64Protocol {
		send = func(part []byte) error {
			return conn.WriteMessage(websocket.TextMessage, []byte(base64.StdEncoding.EncodeToString(part)))
		}
	}
	if err := send(nil); err != nil {
		return err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if err := send(buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil //nolint:nilerr // the node has no more
		}
	}
}
