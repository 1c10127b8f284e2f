package encode

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// gzipThreshold is the body size from which a response is compressed, as upstream's.
const gzipThreshold = 128 << 10

// recordBody is what fits into one frame of HTTP/2 that fits into one record of TLS, with the frame's head. A frame as large as
// HTTP/2 allows makes two records of it, the second of nine bytes, and two writes.
const recordBody = 16<<10 - 9

// writeRecords writes a body in parts that make one record each.
func writeRecords(w io.Writer, b []byte) error {
	for part := range slices.Chunk(b, recordBody) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// begin writes the headers and gives the body's writer. size is the body's length.
func (p Responder) begin(w http.ResponseWriter, code, size int) io.WriteCloser {
	h := w.Header()
	h.Set("Content-Type", p.Accept.Format.MediaType())
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache, private")
	}
	if size >= gzipThreshold && p.compress() {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		h.Del("Content-Length")
		w.WriteHeader(code)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails for unknown levels only
		return z
	}
	h.Set("Content-Length", strconv.Itoa(size))
	w.WriteHeader(code)
	return nopCloser{w}
}

// compress says whether the client takes gzip and gains by it. A client on this machine does not: compressing costs it
// and us ten times what the loopback saves.
func (p Responder) compress() bool {
	if p.Request == nil || !acceptsGzip(p.Request.Header.Get("Accept-Encoding")) {
		return false
	}
	host, _, err := net.SplitHostPort(p.Request.RemoteAddr)
	if err != nil {
		return true
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback() && !sameHost(p.Request, host)
}

// sameHost says whether the client has the address that it reached us at.
func sameHost(r *http.Request, client string) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	host, _, err := net.SplitHostPort(local.String())
	return err == nil && host == client
}

func acceptsGzip(header string) bool {
	for header != "" {
		var one string
		one, header, _ = strings.Cut(header, ",")
		name, params, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.ReplaceAll(params, " ", "") != "q=0"
		}
	}
	return false
}
