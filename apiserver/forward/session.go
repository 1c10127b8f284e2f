package forward

import (
	"bufio"
	"net"
	"net/http"

	"proa/internal/gone"
)

// session is an upgraded connection on both of its sides. The library copies each way until an end comes. It reads nothing from
// a client whose bytes the other side does not take, and so does not see that the client is gone: such a session, and the
// process behind it, would stay as long as the node lets them.
type session struct {
	http.ResponseWriter
	backend net.Conn // dialled before the client's connection is taken over
	stop    func()   // ends the watch of the client; nil if there is none
}

// Hijack implements http.Hijacker.
func (s *session) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if s.stop, err = gone.Watch(conn, func() { gone.Abort(s.backend) }); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, buffered, nil
}

// Unwrap is for http.ResponseController.
func (s *session) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// end ends the watch, with which the client's connection closes.
func (s *session) end() {
	if s.stop != nil {
		s.stop()
	}
}
