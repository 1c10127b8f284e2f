package daemon

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// gatherWrites lets the HTTP/2 server write in fewer and larger pieces to connections of a gatherListener. By itself it sends the head
// of an answer while the handler is on its way with the body, so that a client is woken twice for each answer, and a long answer
// frame by frame.
func gatherWrites(server *http.Server, h2 *http2.Server) {
	server.TLSNextProto[http2.NextProtoTLS] = func(server *http.Server, conn *tls.Conn, h http.Handler) {
		opts := &http2.ServeConnOpts{Handler: h, BaseConfig: server}
		if of, ok := h.(interface{ BaseContext() context.Context }); ok { // how net/http hands over a connection's context
			opts.Context = of.BaseContext()
		}
		if below, ok := conn.NetConn().(*gatheredConn); ok {
			h2.ServeConn(&framedConn{tlsConn: conn, below: below}, opts)
		} else {
			h2.ServeConn(conn, opts)
		}
	}
}

const (
	// gatherWait is how long what is written waits for what comes next. It mostly comes at once; the head of a watch waits in vain.
	gatherWait = time.Millisecond
	// gatherMost is how much is gathered, in bytes: the kernel takes this at once, more only helps less.
	gatherMost = 64 << 10
	// gatherRoom is for records that end above gatherMost, with what TLS adds to them.
	gatherRoom = gatherMost + 17<<10
	// fullFrame is the payload with which the API's answers fill a record of TLS, see apiserver/encode.
	fullFrame = 16<<10 - 9
)

// tlsConn is what HTTP/2 asks of a connection.
type tlsConn interface {
	net.Conn
	ConnectionState() tls.ConnectionState
}

// framedConn stands between HTTP/2 and TLS. It tells the connection below whether more will come at once.
type framedConn struct {
	tlsConn
	below *gatheredConn
	mu    struct {
		sync.Mutex
		frames frameReader
	}
}

func (c *framedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.below.gather()
	n, err := c.tlsConn.Write(p)
	if failed := c.below.release(c.mu.frames.read(p)); err == nil {
		err = failed
	}
	return n, err
}

// gatherListener makes its connections gather.
type gatherListener struct{ net.Listener }

func (l gatherListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatheredConn{Conn: conn}, nil
}

// gatheredConn stands below TLS. Between gather and release it keeps what is written, and after a release with more to come until the
// next one, for gatherWait at most. Bytes keep their order; without gather it is the connection alone.
//
// Close is the connection's own, for it must end a Write that waits for a slow client. TLS writes its last record, and with it what is
// held, before it closes.
type gatheredConn struct {
	net.Conn
	mu struct {
		sync.Mutex
		gathering bool
		held      *[]byte     // nil when nothing is; from heldBuffers
		late      *time.Timer // writes what is held
		waiting   bool        // late will
		failed    error       // of late: told to who writes next
	}
}

// NetConn is the kernel's connection, for who watches whether the client is gone.
func (c *gatheredConn) NetConn() net.Conn { return c.Conn }

// heldBuffers hold what is held: most connections mostly hold nothing.
var heldBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, gatherRoom)
	return &b
}}

func (c *gatheredConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.failed != nil {
		return 0, c.mu.failed
	}
	if !c.mu.gathering && c.mu.held == nil {
		return c.Conn.Write(p)
	}
	if c.mu.held == nil {
		c.mu.held = heldBuffers.Get().(*[]byte)
	}
	*c.mu.held = append(*c.mu.held, p...)
	if !c.mu.gathering || len(*c.mu.held) >= gatherMost {
		if err := c.writeHeldLocked(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (c *gatheredConn) gather() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.gathering = true
}

func (c *gatheredConn) release(more bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.gathering = false
	switch {
	case c.mu.held == nil || more && c.mu.waiting:
	case !more:
		return c.writeHeldLocked()
	case c.mu.late == nil:
		c.mu.late, c.mu.waiting = time.AfterFunc(gatherWait, c.writeLate), true
	default:
		c.mu.late.Reset(gatherWait)
		c.mu.waiting = true
	}
	return nil
}

func (c *gatheredConn) writeHeldLocked() error {
	held := c.mu.held
	if held == nil {
		return nil
	}
	if c.mu.waiting {
		c.mu.late.Stop() // one that runs already finds nothing, or what is held then: that is early, and no harm
		c.mu.waiting = false
	}
	_, err := c.Conn.Write(*held)
	c.mu.held = nil
	if cap(*held) <= 2*gatherRoom {
		*held = (*held)[:0]
		heldBuffers.Put(held)
	}
	return err
}

func (c *gatheredConn) writeLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.gathering {
		c.mu.waiting = false // release will see to it
		return
	}
	c.mu.failed = c.writeHeldLocked()
}

// frameReader follows the frames of HTTP/2 (RFC 9113, section 4.1) in what is written, however it is cut.
type frameReader struct {
	header [9]byte // of the current frame
	have   int     // bytes of header
	left   int     // bytes of the frame's payload that are still to come
}

// read takes what is written next, and says whether more will come at once: behind a part of a frame, the head of a message that has a
// body, or data that filled its frame.
func (f *frameReader) read(p []byte) bool {
	for len(p) > 0 {
		if f.left == 0 && f.have < len(f.header) {
			n := copy(f.header[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have < len(f.header) {
				return true
			}
			f.left = f.length()
		}
		n := min(f.left, len(p))
		f.left -= n
		p = p[n:]
		if f.left > 0 {
			return true
		}
		f.have = 0
	}
	flags := http2.Flags(f.header[4])
	switch http2.FrameType(f.header[3]) {
	case http2.FrameHeaders:
		return !flags.Has(http2.FlagHeadersEndStream)
	case http2.FrameData:
		return !flags.Has(http2.FlagDataEndStream) && f.length() >= fullFrame
	}
	return false
}

func (f *frameReader) length() int {
	return int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
}
