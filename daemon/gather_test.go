package daemon

import (
	"bytes"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"proa/internal/gone"
)

// writes is a connection that notes each Write.
type writes struct {
	net.Conn
	failed error
	mu     struct {
		sync.Mutex
		all []string
	}
}

func (w *writes) Write(p []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.all = append(w.mu.all, string(p))
	return len(p), nil
}

// take returns what was written since it was last called.
func (w *writes) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.mu.all
	w.mu.all = nil
	return all
}

// plain is TLS that adds nothing, with its records.
type plain struct{ net.Conn }

func (plain) ConnectionState() tls.ConnectionState { return tls.ConnectionState{} }

func (p plain) Write(b []byte) (int, error) {
	for record := range slices.Chunk(b, 16<<10) {
		if _, err := p.Conn.Write(record); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// gathered is a connection as the server makes it.
func gathered(w *writes) *framedConn {
	below := &gatheredConn{Conn: w}
	return &framedConn{tlsConn: plain{below}, below: below}
}

func headFrame(end bool) string {
	var b bytes.Buffer
	_ = http2.NewFramer(&b, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("block"), EndHeaders: true, EndStream: end})
	return b.String()
}

func dataFrame(size int, end bool) string {
	var b bytes.Buffer
	_ = http2.NewFramer(&b, nil).WriteData(1, end, make([]byte, size))
	return b.String()
}

func TestWritesAreGathered(t *testing.T) {
	head, answer, body, event, full := headFrame(false), headFrame(true), dataFrame(100, true), dataFrame(100, false), dataFrame(fullFrame, false)
	for _, test := range []struct {
		name        string
		given, want []string
	}{
		{"head and body", []string{head, body}, []string{head + body}},
		{"a head without a body", []string{answer, body}, []string{answer, body}},
		{"two heads", []string{head, head, body, body}, []string{head + head + body, body}},
		{"a head behind another frame", []string{body + head, body}, []string{body + head + body}},
		{"a head that was cut", []string{head[:5], head[5:11], head[11:], body}, []string{head + body}},
		{"what only looks like a head", []string{full[:9] + head, full[9+len(head):], body}, []string{full[:9] + head + full[9+len(head):] + body}},
		{"events", []string{head, event, event}, []string{head + event, event}},
		{"a long body", []string{head, full, full, body}, []string{head + full + full + body}},
		{"a longer body", []string{full, full, full, full, full, body}, []string{full + full + full + full, full + body}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w writes
				c := gathered(&w)
				for _, p := range test.given {
					if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
						t.Fatalf("write: %d, %v", n, err)
					}
				}
				if got := w.take(); !slices.Equal(got, test.want) {
					t.Errorf("got  %q\nwant %q", got, test.want)
				}
			})
		})
	}
}

// TestHeadOfStream: the head of a watch comes without a body, and must not wait for the first event.
func TestHeadOfStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		c := gathered(&w)
		for range 3 {
			_, _ = c.Write([]byte(headFrame(false)))
			if time.Sleep(gatherWait - 1); len(w.take()) > 0 {
				t.Fatal("was written at once")
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if got := w.take(); len(got) != 1 {
				t.Fatalf("after its wait: %q", got)
			}
		}
		// What TLS writes of its own, such as its end, does not overtake.
		_, _ = c.Write([]byte(headFrame(false)))
		_, err := c.below.Write([]byte("end"))
		if got := w.take(); err != nil || !slices.Equal(got, []string{headFrame(false) + "end"}) {
			t.Errorf("%v %q", err, got)
		}
	})
}

func TestWriteThatFailedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := writes{failed: errors.New("broken pipe")}
		c := gathered(&w)
		_, _ = c.Write([]byte(headFrame(false)))
		time.Sleep(gatherWait)
		synctest.Wait()
		if _, err := c.Write([]byte(dataFrame(1, true))); !errors.Is(err, w.failed) {
			t.Errorf("got %v", err)
		}
	})
}

// TestCloseEndsWrite: who closes a connection must not wait for a client that does not read.
func TestCloseEndsWrite(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	below := &gatheredConn{Conn: near}
	c := &framedConn{tlsConn: plain{below}, below: below}
	ended := make(chan error)
	go func() {
		_, err := c.Write([]byte(dataFrame(1, true)))
		ended <- err
	}()
	if _, err := far.Read(make([]byte, 1)); err != nil { // the write is under way
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the write ended well")
	}
}

// TestWritesKeepOrder writes frames of chance, cut by chance, with waits of chance between.
func TestWritesKeepOrder(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		var all string
		for range 50 {
			all += []string{headFrame(false), headFrame(true), dataFrame(random.IntN(200), true), dataFrame(random.IntN(20000), false),
				dataFrame(fullFrame, false), dataFrame(0, true)}[random.IntN(6)]
		}
		synctest.Test(t, func(t *testing.T) {
			var w writes
			c := gathered(&w)
			for rest := all; rest != ""; {
				n := min(len(rest), 1+random.IntN(1<<random.IntN(17)))
				if wrote, err := c.Write([]byte(rest[:n])); wrote != n || err != nil {
					t.Fatalf("write: %d of %d, %v", wrote, n, err)
				}
				rest = rest[n:]
				if random.IntN(4) == 0 {
					time.Sleep(gatherWait * time.Duration(random.IntN(3)) / 2)
				}
			}
			time.Sleep(gatherWait)
			synctest.Wait()
			if got := strings.Join(w.take(), ""); got != all {
				t.Errorf("seed %d: %d bytes came through, %d were written, or their order is another", seed, len(got), len(all))
			}
		})
	}
}

// Whether a client is gone is seen below all that stands between it and the server.
func TestGatheredConnectionsAreWatched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := gatherListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	ended := make(chan struct{})
	stop, err := gone.Watch(tls.Server(accepted, &tls.Config{}), func() { close(ended) })
	if err != nil {
		t.Fatal(err)
	}
	gone.Abort(client)
	<-ended
	stop()
}
