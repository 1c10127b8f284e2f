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

// gatherHeads lets the HTTP/2 server write the head of an answer together with its body. By itself it sends the head as soon as
// nothing else is to be written, while the handler is on its way with the body: two records of TLS, two packets, and a
// client that is woken twice, for each answer.
func gatherHeads(server *http.Server, h2 *http2.Server) {
	server.TLSNextProto[http2.NextProtoTLS] = func(server *http.Server, conn *tls.Conn, h http.Handler) {
		opts := &http2.ServeConnOpts{Handler: h, BaseConfig: server}
		if of, ok := h.(interface{ BaseContext() context.Context }); ok { // how net/http hands over a connection's context
			opts.Context = of.BaseContext()
		}
		h2.ServeConn(&headConn{tlsConn: conn}, opts)
	}
}

const (
	// headWait is how long a head waits for its body. Bodies mostly follow at once; the head of a stream waits in vain.
	headWait = time.Millisecond
	// largestRecord is what one record of TLS holds, in bytes.
	largestRecord = 16 << 10
)

// heldBuffers hold what is held: most connections mostly hold nothing.
var heldBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, largestRecord)
	return &b
}}

// tlsConn is what HTTP/2 asks of a connection.
type tlsConn interface {
	net.Conn
	ConnectionState() tls.ConnectionState
}

// headConn keeps what is written if it ends with the head of an answer whose body is to come, and writes it with what comes next, or
// after headWait. Bytes keep their order.
type headConn struct {
	tlsConn
	mu struct {
		sync.Mutex
		frames frameReader
		held   *[]byte     // nil when nothing is; from heldBuffers
		late   *time.Timer // writes what is held
		failed error       // of late: told to the next Write
	}
}

func (c *headConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.failed != nil {
		return 0, c.mu.failed
	}
	head := c.mu.frames.read(p)
	if held := c.mu.held; held != nil && len(*held)+len(p) > largestRecord {
		if err := c.writeHeldLocked(); err != nil {
			return 0, err
		}
	}
	if c.mu.held == nil {
		if !head || len(p) > largestRecord {
			return c.tlsConn.Write(p)
		}
		c.mu.held = heldBuffers.Get().(*[]byte)
		c.waitLocked() // from the first head on, however many come
	}
	*c.mu.held = append(*c.mu.held, p...)
	if head {
		return len(p), nil
	}
	if err := c.writeHeldLocked(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *headConn) waitLocked() {
	if c.mu.late == nil {
		c.mu.late = time.AfterFunc(headWait, c.writeLate)
	} else {
		c.mu.late.Reset(headWait)
	}
}

func (c *headConn) writeHeldLocked() error {
	held := c.mu.held
	if held == nil {
		return nil
	}
	c.mu.late.Stop() // one that runs already finds nothing, or what is held then: that is early, and no harm
	_, err := c.tlsConn.Write(*held)
	*held, c.mu.held = (*held)[:0], nil
	heldBuffers.Put(held)
	return err
}

func (c *headConn) writeLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.failed = c.writeHeldLocked()
}

// Close writes what is held before the connection ends.
func (c *headConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.writeHeldLocked() // who closes does not ask any more what was sent
	return c.tlsConn.Close()
}

// frameReader follows the frames of HTTP/2 (RFC 9113, section 4.1) in what is written, however it is cut.
type frameReader struct {
	header [9]byte // of the current frame
	have   int     // bytes of header
	left   int     // bytes of the frame's payload that are still to come
}

// read takes what is written next, and says whether it ends with the whole head of a message that has a body.
func (f *frameReader) read(p []byte) bool {
	for len(p) > 0 {
		if f.left == 0 && f.have < len(f.header) {
			n := copy(f.header[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have < len(f.header) {
				return false
			}
			f.left = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
		}
		n := min(f.left, len(p))
		f.left -= n
		p = p[n:]
		if f.left > 0 {
			return false
		}
		f.have = 0
	}
	if f.have > 0 || f.left > 0 {
		return false
	}
	kind, flags := http2.FrameType(f.header[3]), http2.Flags(f.header[4])
	return kind == http2.FrameHeaders && flags.Has(http2.FlagHeadersEndHeaders) && !flags.Has(http2.FlagHeadersEndStream)
}
