package aggregate

import (
	"bytes"
	"net/http"
)

// record keeps an answer instead of sending it.
type record struct {
	code   int
	header http.Header
	body   bytes.Buffer
}

// ask lets the API server itself answer, without the conditions that a client's cache makes.
func ask(local Local, r *http.Request, accept string) *record {
	asked := r.Clone(r.Context())
	asked.Header.Del("If-None-Match")
	asked.Header.Del("Accept-Encoding")
	asked.Header.Set("Accept", accept)
	answer := &record{header: http.Header{}}
	if !local(answer, asked) {
		answer.code = http.StatusNotFound
	}
	return answer
}

// Header implements http.ResponseWriter.
func (r *record) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *record) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
	}
}

// Write implements http.ResponseWriter.
func (r *record) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
