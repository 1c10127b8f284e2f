// Package wire is the load generator's client: HTTP/2 over TLS by frames, one request at a time on a connection, read to its
// last byte and never decoded.
//
// It decides nothing. It owns the connections that its callers dial. On the cores that a client shares with the server, a
// client library would be most of what a benchmark measures; this one costs a system call each way. It is not for users: it
// speaks only to servers that answer well, and gives any other as an error.
package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"k8s.io/client-go/rest"
)

const (
	window    = 1 << 30 // bytes that a server may send before it hears of it: more than any answer
	frameSize = 16 << 10
	frameHead = 9 // bytes before a frame's payload
	read      = 64 << 10
)

// Request is one request. A body comes with its type; Accept is what the answer should be in.
type Request struct {
	Method, Path        string // the path with its query
	ContentType, Accept string
	Body                []byte
}

// Conn is a connection with at most one request under way. It belongs to one goroutine.
type Conn struct {
	conn      net.Conn
	in        *bufio.Reader
	spent     int // bytes of in that data was in
	authority string
	out       bytes.Buffer // frames that go out with the next flush
	frames    *http2.Framer
	header    bytes.Buffer
	encoder   *hpack.Encoder

	stream    uint32 // of the request under way; a client's are odd
	left      int64  // bytes that may still be sent on the connection
	perStream int64  // and on a new stream
	received  int64  // bytes not yet given back to the server's window
	status    int    // of the answer; zero: it has not begun
	data      []byte // of the answer, valid until the next frame is read
	ended     bool   // the answer has no more
}

// Dial connects as a kubeconfig says.
func Dial(ctx context.Context, cfg *rest.Config) (*Conn, error) {
	server, err := url.Parse(cfg.Host)
	if err != nil {
		return nil, fmt.Errorf("read server's address: %w", err)
	}
	secure, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	secure.NextProtos = []string{http2.NextProtoTLS}
	conn, err := (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", server.Host)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c := &Conn{stream: ^uint32(0), ended: true, conn: conn, authority: server.Host, left: frameSize*4 - 1, perStream: frameSize*4 - 1}
	c.in = bufio.NewReaderSize(conn, read)
	c.frames = http2.NewFramer(&c.out, c.in)
	c.frames.SetReuseFrames()
	c.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.header)
	c.out.WriteString(http2.ClientPreface)
	if err := errors.Join(
		c.frames.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}),
		c.frames.WriteWindowUpdate(0, window), c.flush()); err != nil {
		return nil, errors.Join(fmt.Errorf("greet: %w", err), conn.Close())
	}
	return c, nil
}

// Close ends the connection and what is under way on it.
func (c *Conn) Close() error { return c.conn.Close() }

// Do sends a request and returns when the answer has begun. Its body is what Read gives until io.EOF; the next request may
// follow then. An answer that is not a success is an error.
func (c *Conn) Do(r Request) error {
	if !c.ended {
		return errors.New("the last answer was not read to its end")
	}
	c.stream += 2
	c.status, c.data, c.ended = 0, nil, false
	if err := c.send(r); err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	for c.status == 0 {
		if err := c.next(); err != nil {
			return fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
	}
	if c.status >= 300 {
		text, err := io.ReadAll(c)
		if err != nil {
			return fmt.Errorf("%s %s: %d: %w", r.Method, r.Path, c.status, err)
		}
		return &Refused{r.Method, r.Path, c.status, string(text)}
	}
	return nil
}

// Refused is an answer that is not a success.
type Refused struct {
	Method, Path string
	Status       int
	Text         string // the body
}

func (r *Refused) Error() string {
	return fmt.Sprintf("%s %s: %d %s", r.Method, r.Path, r.Status, r.Text)
}

func (c *Conn) send(r Request) error {
	c.header.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: r.Method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: c.authority}, {Name: ":path", Value: r.Path},
		{Name: "accept", Value: r.Accept}, {Name: "content-type", Value: r.ContentType}, {Name: "user-agent", Value: "bench"},
	} {
		if f.Value == "" {
			continue
		}
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	if err := c.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.stream, BlockFragment: c.header.Bytes(), EndHeaders: true, EndStream: len(r.Body) == 0,
	}); err != nil {
		return err
	}
	if int64(len(r.Body)) > c.perStream {
		return fmt.Errorf("a body of %d bytes is more than the server takes at once", len(r.Body))
	}
	for body := r.Body; len(body) > 0; {
		part := body[:min(len(body), frameSize)]
		for c.left < int64(len(part)) {
			if err := errors.Join(c.flush(), c.next()); err != nil {
				return err
			}
		}
		c.left -= int64(len(part))
		body = body[len(part):]
		if err := c.frames.WriteData(c.stream, len(body) == 0, part); err != nil {
			return err
		}
	}
	return c.flush()
}

func (c *Conn) flush() error {
	if c.out.Len() == 0 {
		return nil
	}
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

// Read gives the answer's body.
func (c *Conn) Read(into []byte) (int, error) {
	piece, err := c.Piece()
	if err != nil {
		return 0, err
	}
	n := copy(into, piece)
	c.data = piece[n:]
	return n, nil
}

// Piece gives the next piece of the answer's body, or io.EOF. It is good until the connection is used again.
func (c *Conn) Piece() ([]byte, error) {
	for len(c.data) == 0 {
		if c.ended {
			return nil, io.EOF
		}
		if err := c.next(); err != nil {
			return nil, err
		}
	}
	piece := c.data
	c.data = nil
	return piece, nil
}

// Discard reads the answer to its end.
func (c *Conn) Discard() error {
	for !c.ended {
		if err := c.next(); err != nil {
			return err
		}
	}
	c.data = nil
	return nil
}

// next reads one frame. What it gives of a body is valid until the next.
func (c *Conn) next() error {
	if _, err := c.in.Discard(c.spent); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	c.spent = 0
	if mine, err := c.nextData(); mine || err != nil {
		return err
	}
	frame, err := c.frames.ReadFrame()
	if err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		c.data, c.ended = f.Data(), f.StreamEnded()
		return c.giveBack(int64(f.Length))
	case *http2.MetaHeadersFrame:
		c.ended = f.StreamEnded()
		if c.status != 0 { // trailers
			return nil
		}
		if c.status, err = strconv.Atoi(f.PseudoValue("status")); err != nil {
			return fmt.Errorf("read status: %w", err)
		}
		return nil
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.left += int64(f.Increment)
		}
		return nil
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		if size, said := f.Value(http2.SettingInitialWindowSize); said {
			c.perStream = int64(size)
		}
		return errors.Join(c.frames.WriteSettingsAck(), c.flush())
	case *http2.PingFrame:
		if f.IsAck() {
			return nil
		}
		return errors.Join(c.frames.WritePing(true, f.Data), c.flush())
	case *http2.RSTStreamFrame:
		return fmt.Errorf("the server ended the request: %s", f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server ends the connection: %s %s", f.ErrCode, f.DebugData())
	}
	return nil
}

// nextData takes a frame of data from where it lies: by the library's reader it would be copied. False: it is no such frame.
func (c *Conn) nextData() (bool, error) {
	head, err := c.in.Peek(frameHead)
	if err != nil {
		return false, fmt.Errorf("read frame: %w", err)
	}
	size, flags := int(head[0])<<16|int(head[1])<<8|int(head[2]), http2.Flags(head[4])
	if http2.FrameType(head[3]) != http2.FrameData || flags.Has(http2.FlagDataPadded) || frameHead+size > read {
		return false, nil
	}
	frame, err := c.in.Peek(frameHead + size)
	if err != nil {
		return false, fmt.Errorf("read frame: %w", err)
	}
	c.spent = len(frame)
	c.data, c.ended = frame[frameHead:], flags.Has(http2.FlagDataEndStream)
	return true, c.giveBack(int64(size))
}

// giveBack lets the server send more once it has sent a quarter of what it may.
func (c *Conn) giveBack(n int64) error {
	if c.received += n; c.received < window/4 {
		return nil
	}
	err := c.frames.WriteWindowUpdate(0, uint32(c.received))
	c.received = 0
	return errors.Join(err, c.flush())
}
