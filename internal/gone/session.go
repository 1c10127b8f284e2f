package gone

import (
	"bufio"
	"net"
	"net/http"
)

// Session is where the answer to a request goes that takes its connection over. From then on it watches the client, for those
// who join the connection with another read nothing while the other side takes nothing.
//
// There is no Unwrap: the library that serves the kubelet's streams would take the connection over past it.
type Session struct {
	http.ResponseWriter
	// Gone is called, from a goroutine of its own, when the client is gone; its connection is closed by then. Required.
	Gone func()

	conn net.Conn // nil until it is taken over
	stop func()
}

// Hijack implements http.Hijacker.
func (s *Session) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.stop, err = Watch(conn, func() {
		Abort(conn)
		s.Gone()
	})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	s.conn = conn
	return conn, buffered, nil
}

// End ends the watch, and the client's connection, whatever has become of those who were to serve it. It must be called when the
// handler of the request returns.
func (s *Session) End() {
	if s.conn != nil {
		s.conn.Close()
		s.stop()
	}
}
