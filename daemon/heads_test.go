package daemon

import (
	"bytes"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// writes is a connection that notes each Write.
type writes struct {
	net.Conn
	all    []string
	closed bool
	failed error
}

func (w *writes) Write(p []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	w.all = append(w.all, string(p))
	return len(p), nil
}

func (w *writes) Close() error                       { w.closed = true; return nil }
func (*writes) ConnectionState() tls.ConnectionState { return tls.ConnectionState{} }

func headFrame(end bool) string {
	var b bytes.Buffer
	_ = http2.NewFramer(&b, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("block"), EndHeaders: true, EndStream: end})
	return b.String()
}

func dataFrame(size int) string {
	var b bytes.Buffer
	_ = http2.NewFramer(&b, nil).WriteData(1, true, make([]byte, size))
	return b.String()
}

func TestHeadIsWrittenWithItsBody(t *testing.T) {
	head, answer, body, full := headFrame(false), headFrame(true), dataFrame(100), dataFrame(16<<10-9)
	for _, test := range []struct {
		name        string
		given, want []string
	}{
		{"head and body", []string{head, body}, []string{head + body}},
		{"a head without a body", []string{answer, body}, []string{answer, body}},
		{"two heads", []string{head, head, body, body}, []string{head + head + body, body}},
		{"a head behind another frame", []string{body + head, body}, []string{body + head + body}},
		{"a head that was cut", []string{head[:5], head[5:11], head[11:], body}, []string{head[:5], head[5:11], head[11:] + body}},
		{"a frame that only looks like a head", []string{full[:9], head, full[9+len(head):], body}, []string{full[:9], head, full[9+len(head):], body}},
		{"a body that fills a record", []string{head, full, body}, []string{head, full, body}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w writes
				c := &headConn{tlsConn: &w}
				for _, p := range test.given {
					if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
						t.Fatalf("write: %d, %v", n, err)
					}
				}
				if !slices.Equal(w.all, test.want) {
					t.Errorf("got  %q\nwant %q", w.all, test.want)
				}
			})
		})
	}
}

// TestHeadOfStream: the head of a watch comes without a body, and must not wait for the first event.
func TestHeadOfStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		c := &headConn{tlsConn: &w}
		for range 3 {
			w.all = nil
			_, _ = c.Write([]byte(headFrame(false)))
			if time.Sleep(headWait - 1); len(w.all) > 0 {
				t.Fatal("was written at once")
			}
			time.Sleep(time.Nanosecond)
			if synctest.Wait(); len(w.all) != 1 {
				t.Fatalf("after its wait: %q", w.all)
			}
		}
		_, _ = c.Write([]byte(headFrame(false)))
		if err := c.Close(); err != nil || len(w.all) != 2 || !w.closed {
			t.Errorf("closed: %v %q", err, w.all)
		}
	})
}

func TestHeadThatCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := writes{failed: errors.New("broken pipe")}
		c := &headConn{tlsConn: &w}
		_, _ = c.Write([]byte(headFrame(false)))
		time.Sleep(headWait)
		synctest.Wait()
		if _, err := c.Write([]byte(dataFrame(1))); !errors.Is(err, w.failed) {
			t.Errorf("got %v", err)
		}
	})
}

// TestHeadsKeepOrder writes frames of chance, cut by chance, with waits of chance between.
func TestHeadsKeepOrder(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		var all string
		for range 50 {
			all += []string{headFrame(false), headFrame(true), dataFrame(random.IntN(200)), dataFrame(random.IntN(20000)), dataFrame(0)}[random.IntN(5)]
		}
		synctest.Test(t, func(t *testing.T) {
			var w writes
			c := &headConn{tlsConn: &w}
			for rest := all; rest != ""; {
				n := min(len(rest), 1+random.IntN(1<<random.IntN(15)))
				if wrote, err := c.Write([]byte(rest[:n])); wrote != n || err != nil {
					t.Fatalf("write: %d of %d, %v", wrote, n, err)
				}
				rest = rest[n:]
				if random.IntN(4) == 0 {
					time.Sleep(headWait * time.Duration(random.IntN(3)) / 2)
				}
			}
			time.Sleep(headWait)
			synctest.Wait()
			if got := strings.Join(w.all, ""); got != all {
				t.Errorf("seed %d: %d bytes came through, %d were written, or their order is another", seed, len(got), len(all))
			}
		})
	}
}
