package forward

import (
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// mostPage is how long a page may be whose links are rewritten. What is no page is passed on as it comes, however long.
const mostPage = 32 << 20

// pages is a transport whose pages end with an error when they are too long. A compressed page is unpacked here, for what
// matters is how long it is then; it goes to the client as plain text.
type pages struct{ http.RoundTripper }

// WrappedRoundTripper lets the library find out how to dial.
func (p pages) WrappedRoundTripper() http.RoundTripper { return p.RoundTripper }

func (p pages) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := p.RoundTripper.RoundTrip(r)
	if err != nil || r.Method == http.MethodHead || !rewritten(response.Header) {
		return response, err
	}
	page := &bounded{Reader: response.Body, Closer: response.Body, left: mostPage}
	switch encoding := response.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		if page.Reader, err = gzip.NewReader(response.Body); err != nil {
			response.Body.Close()
			return nil, fmt.Errorf("unpack page: %w", err)
		}
	case "deflate":
		page.Reader = flate.NewReader(response.Body)
	default:
		return response, nil
	}
	if response.Header.Get("Content-Encoding") != "" {
		response.Header.Del("Content-Encoding")
		response.Header.Del("Content-Length")
		response.ContentLength = -1
	}
	response.Body = page
	return response, nil
}

// rewritten says whether the library rewrites what comes with this header.
func rewritten(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return h.Get("Location") == "" && strings.TrimSpace(media) == "text/html"
}

type bounded struct {
	io.Reader
	io.Closer
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, apierrors.NewServiceUnavailable(fmt.Sprintf("error trying to reach service: the page is longer than %d bytes", mostPage))
	}
	return n, err
}
