package forward

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"k8s.io/apimachinery/pkg/util/proxy"
)

// mostHead is how long the head of an answer to an upgrade may be: what http.Server takes of a request.
const mostHead = 1 << 20

// boundHead has the handler dial through a connection that counts. It counts above TLS, so the library must not add TLS
// again: to the handler the location is plain. It says what it has dialled.
func boundHead(h *proxy.UpgradeAwareHandler, dialled func(net.Conn)) {
	location, through := *h.Location, h.Transport
	h.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := proxy.DialURL(ctx, &location, through)
		if err != nil {
			return nil, err
		}
		dialled(conn)
		return &headed{Conn: conn, left: mostHead}, nil
	}}
	plain := location
	plain.Scheme = "http"
	h.Location = &plain
}

// headed is a connection on which a head comes first. It fails while that goes on for too long.
type headed struct {
	net.Conn
	left    int  // bytes that the head may still have
	newline bool // the last byte, but for a carriage return, ended a line
	over    bool // the head has ended
}

func (c *headed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.over {
		return n, err
	}
	for _, b := range p[:n] {
		if b == '\n' && c.newline {
			c.over = true
			return n, err
		}
		if b != '\r' {
			c.newline = b == '\n'
		}
	}
	if c.left -= n; c.left < 0 {
		return 0, fmt.Errorf("read answer to upgrade: its head is longer than %d bytes", mostHead)
	}
	return n, err
}
