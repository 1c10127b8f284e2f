package daemon

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"k8s.io/client-go/rest"
)

// rawConn speaks HTTP/2 frame by frame, so that it can do what no well-meaning client does. One goroutine writes.
type rawConn struct {
	t       *testing.T
	conn    net.Conn
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	next    uint32

	answered atomic.Int64 // HEADERS that came
	data     atomic.Int64 // DATA frames that came with something in them
	ended    atomic.Int64 // streams that ended
	goAway   atomic.Int64 // 1 + the code of the last GOAWAY
	closed   chan struct{}
}

// dialRaw connects as the administrator and reads all that comes.
func (s *served) dialRaw() *rawConn {
	s.t.Helper()
	config, err := rest.TLSConfigFor(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		s.t.Fatal(err)
	}
	c := &rawConn{t: s.t, conn: conn, framer: http2.NewFramer(conn, conn), next: 1, closed: make(chan struct{})}
	c.encoder = hpack.NewEncoder(&c.block)
	c.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	c.must(c.framer.WriteWindowUpdate(0, 1<<30))
	go c.read()
	return c
}

func (c *rawConn) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawConn) read() {
	defer close(c.closed)
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame, *http2.HeadersFrame:
			c.answered.Add(1)
			if f.Header().Flags.Has(http2.FlagHeadersEndStream) {
				c.ended.Add(1)
			}
		case *http2.DataFrame:
			if len(f.Data()) > 0 {
				c.data.Add(1)
			}
			if f.StreamEnded() {
				c.ended.Add(1)
			}
		case *http2.RSTStreamFrame:
			c.ended.Add(1)
		case *http2.GoAwayFrame:
			c.goAway.Store(1 + int64(f.ErrCode))
		}
	}
}

// open begins a stream with a request; end says that nothing follows.
func (c *rawConn) open(method, path string, end bool, header ...string) (stream uint32, err error) {
	c.block.Reset()
	fields := append([]string{":method", method, ":scheme", "https", ":authority", "127.0.0.1", ":path", path}, header...)
	for i := 0; i < len(fields); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return 0, err
		}
	}
	stream = c.next
	c.next += 2
	return stream, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndStream: end, EndHeaders: true})
}
