package forward_test

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/proxy"

	"proa/apiserver/forward"
)

// much is more than what is taken of a page.
const much = 40 << 20

type responder struct{}

func (responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}

// front passes what it is asked under /front on to a server, over TLS if secure.
func front(t *testing.T, secure bool, behind http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(behind)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Start()
	if secure {
		server.Close()
		server = httptest.NewTLSServer(behind)
	}
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	through := server.Client().Transport.(*http.Transport)
	through.DisableCompression = true
	dialer := through.DialContext
	if secure {
		dialer = nil // the name of the certificate is that of the address
	}
	through.DialContext = dialer
	f := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		location := *to
		location.Path = strings.TrimPrefix(r.URL.Path, "/front")
		forward.Serve(proxy.NewUpgradeAwareHandler(&location, through, true, false, responder{}), w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// endless writes until nobody reads any more, or until it has written much.
func endless(w io.Writer, text string) {
	text = strings.Repeat(text, 1+1<<20/len(text))
	for written := 0; written < much; written += len(text) {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
	}
}

// A page is rewritten as a whole, so it must end. What is no page is passed on while it comes.
func TestPagesAreBounded(t *testing.T) {
	const page, link = "text/html; charset=utf-8", `<a href="/x">x</a>`
	for _, c := range []struct {
		name, contentType, encoding string
		write                       func(io.Writer)
		want                        string // code and the beginning of the body
	}{
		{"a page", page, "", func(w io.Writer) { fmt.Fprint(w, link) }, `200 <a href="http://HOST/front/x">x</a>`},
		{"a page that is packed", page, "gzip", func(w io.Writer) { fmt.Fprint(w, link) }, `200 <a href="http://HOST/front/x">x</a>`},
		{"a page that is packed otherwise", page, "deflate", func(w io.Writer) { fmt.Fprint(w, link) }, `200 <a href="http://HOST/front/x">x</a>`},
		{"a long page", page, "", func(w io.Writer) { endless(w, "<p>"+strings.Repeat("x", 100)) }, "503 error trying to reach service: the page is longer than 33554432 bytes"},
		{"a long word", page, "", func(w io.Writer) { endless(w, "x") }, "503 error trying to reach service: the page is longer than 33554432 bytes"},
		{"a long tag", page, "", func(w io.Writer) { endless(w, "<a ") }, "503 error trying to reach service: the page is longer than 33554432 bytes"},
		{"a bomb", page, "gzip", func(w io.Writer) { endless(w, "x") }, "503 error trying to reach service: the page is longer than 33554432 bytes"},
		{"another bomb", page, "deflate", func(w io.Writer) { endless(w, "x") }, "503 error trying to reach service: the page is longer than 33554432 bytes"},
		{"a long text", "text/plain", "", func(w io.Writer) { endless(w, "x") }, "200 xxx"},
		{"a long text that is packed", "text/plain", "gzip", func(w io.Writer) { endless(w, "x") }, "200 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := front(t, false, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", c.contentType)
				rw.Header().Set("Content-Encoding", c.encoding)
				packed(rw, c.encoding, c.write)
			})
			r, err := http.NewRequest("GET", f.URL+"/front/page", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", "gzip, deflate, br") // so that the client does not unpack by itself
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(c.want, "http://HOST", "", 1)
			if got := fmt.Sprint(response.StatusCode, " ", strings.Replace(string(body), f.URL, "", 1)); !strings.HasPrefix(got, want) {
				t.Errorf("got %.200q, want %s", got, want)
			}
		})
	}
}

// packed runs write with what compresses to w.
func packed(w io.Writer, encoding string, write func(io.Writer)) {
	var p io.WriteCloser
	switch encoding {
	case "gzip":
		p, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is right
	case "deflate":
		p, _ = flate.NewWriter(w, flate.BestSpeed) // the level is right
	default:
		write(w)
		return
	}
	write(p)
	_ = p.Close() // fails when nobody reads any more
}

// upgrade asks for another protocol and returns the answer and what follows it.
func upgrade(t *testing.T, f *httptest.Server) (*http.Response, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET /front/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	from := bufio.NewReader(conn)
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response, from
}

// What is before an upgrade must end; what is behind it may be as long as it likes.
func TestHeadsOfUpgradesAreBounded(t *testing.T) {
	left := make(chan error, 1)
	for _, secure := range []bool{false, true} {
		for name, c := range map[string]struct {
			write func(io.Writer)
			code  int
		}{
			"short":           {func(w io.Writer) { endless(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nX: y\r\n\r\n") }, 101},
			"bare newlines":   {func(w io.Writer) { endless(w, "HTTP/1.1 101 Switching Protocols\nUpgrade: echo\n\n") }, 101},
			"many fields":     {func(w io.Writer) { fmt.Fprint(w, "HTTP/1.1 101 S\r\n"); endless(w, "X: y\r\n") }, 503},
			"a long field":    {func(w io.Writer) { fmt.Fprint(w, "HTTP/1.1 101 S\r\nX: "); endless(w, "y") }, 503},
			"a long line":     {func(w io.Writer) { endless(w, "HTTP/1.1 101 S") }, 503},
			"carriage return": {func(w io.Writer) { fmt.Fprint(w, "HTTP/1.1 101 S\r\n"); endless(w, "X\r\r") }, 503},
		} {
			f := front(t, secure, func(rw http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					left <- err
					return
				}
				defer conn.Close()
				c.write(conn)
				_, err = conn.Write([]byte("more")) // fails once the front has gone
				left <- err
			})
			response, from := upgrade(t, f)
			if response.StatusCode != c.code {
				t.Errorf("%s, TLS %v: %s", name, secure, response.Status)
			}
			if c.code == http.StatusSwitchingProtocols {
				if n, err := io.Copy(io.Discard, from); n < much/2 {
					t.Errorf("%s, TLS %v: %d bytes came behind the head, %v", name, secure, n, err)
				}
			}
			<-left
		}
	}
}
