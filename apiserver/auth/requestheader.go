package auth

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Headers in which a trusted proxy says who asks, as every API server of a cluster names them.
const (
	RemoteUser        = "X-Remote-User"
	RemoteUID         = "X-Remote-Uid"
	RemoteGroup       = "X-Remote-Group"
	RemoteExtraPrefix = "X-Remote-Extra-"
)

// RequestHeaders believes the headers of a proxy that shows a certificate of the front-proxy authority.
type RequestHeaders struct {
	certificates *Certificates
	names        []string
}

// NewRequestHeaders trusts certificates that roots signed for clients, whose common name is one of names; no names
// means any. now is time.Now if nil.
func NewRequestHeaders(roots *x509.CertPool, names []string, now func() time.Time) *RequestHeaders {
	return &RequestHeaders{certificates: NewCertificates(roots, now), names: names}
}

// Authenticate returns the user that the headers name. Requests without the header of the name are not its business: the
// certificate is not looked at then.
func (h *RequestHeaders) Authenticate(r *http.Request) (User, bool, error) {
	name := r.Header.Get(RemoteUser)
	if name == "" || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return User{}, false, nil
	}
	proxy, ok, err := h.certificates.Authenticate(r)
	if err != nil || !ok {
		return User{}, false, err
	}
	if len(h.names) > 0 && !slices.Contains(h.names, proxy.Name) {
		return User{}, false, fmt.Errorf("x509: subject with cn=%s is not in the allowed list", proxy.Name)
	}
	u := User{Name: name, UID: r.Header.Get(RemoteUID)}
	for _, group := range r.Header[RemoteGroup] {
		if group != "" {
			u.Groups = append(u.Groups, group)
		}
	}
	for header, values := range r.Header {
		if key, ok := extraKey(header); ok {
			if u.Extra == nil {
				u.Extra = map[string][]string{}
			}
			u.Extra[key] = append(u.Extra[key], values...)
		}
	}
	return u, true, nil
}

// extraKey is the key that a header of the user's extras stands for.
func extraKey(header string) (string, bool) {
	if len(header) < len(RemoteExtraPrefix) || !strings.EqualFold(header[:len(RemoteExtraPrefix)], RemoteExtraPrefix) {
		return "", false
	}
	encoded := strings.ToLower(header[len(RemoteExtraPrefix):])
	if key, err := url.PathUnescape(encoded); err == nil {
		return key, true
	}
	return encoded, true
}

// StripCredentials removes from a header what only authenticators may see. It returns the header itself when there is nothing.
func StripCredentials(h http.Header) http.Header {
	if !slices.ContainsFunc(credentials, func(name string) bool { return len(h[name]) > 0 }) && !hasExtra(h) {
		return h
	}
	h = h.Clone()
	for _, name := range credentials {
		h.Del(name)
	}
	for name := range h {
		if _, ok := extraKey(name); ok {
			delete(h, name)
		}
	}
	return h
}

var credentials = []string{"Authorization", RemoteUser, RemoteUID, RemoteGroup}

func hasExtra(h http.Header) bool {
	for name := range h {
		if _, ok := extraKey(name); ok {
			return true
		}
	}
	return false
}
