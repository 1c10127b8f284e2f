package serve

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// guard lets a request in when its caller is known and the cluster allows it.
func (s *Server) guard(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok, err := s.authenticate(r)
		if err != nil {
			s.cfg.Log.Debug("unknown caller of the node's API", "remote", r.RemoteAddr, "error", err)
		}
		if !ok {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		verb := verbOf(r.Method)
		if route.stream {
			if r.Method != http.MethodGet && r.Method != http.MethodPost {
				http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
				return
			}
			// A WebSocket opens with a GET: counted as "get" it would let readers run commands
			// (kubernetes issue 83465).
			verb = "create"
		}
		allowed, err := s.authorize(r.Context(), user, verb, route.subresources, r.URL.Path)
		if err != nil {
			s.cfg.Log.Warn("authorize caller of the node's API", "user", user.Username, "error", err)
			http.Error(w, fmt.Sprintf("Authorization error (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", user.Username, verb, route.subresources), http.StatusInternalServerError)
			return
		}
		if !allowed {
			http.Error(w, fmt.Sprintf("Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", user.Username, verb, route.subresources), http.StatusForbidden)
			return
		}
		route.handle(w, r)
	})
}

func verbOf(method string) string {
	switch method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		return "delete"
	}
	return "get"
}

// authorize asks about each subresource until one is allowed.
func (s *Server) authorize(ctx context.Context, user authenticationv1.UserInfo, verb string, subresources []string, path string) (bool, error) {
	var errs error
	for _, subresource := range subresources {
		allowed, reason, err := s.cfg.Authorize(ctx, Attributes{User: user, Verb: verb, Subresource: subresource, Path: path})
		if allowed && err == nil {
			return true, nil
		}
		s.cfg.Log.Debug("not allowed", "user", user.Username, "verb", verb, "subresource", subresource, "reason", reason)
		errs = errors.Join(errs, err)
	}
	return false, errs
}

// authenticate finds out who calls: the certificate's name and organizations, or the token's user.
func (s *Server) authenticate(r *http.Request) (user authenticationv1.UserInfo, ok bool, err error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return s.certificateUser(r.TLS.PeerCertificates)
	}
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found || s.cfg.Token == nil {
		return user, false, nil
	}
	return s.cfg.Token(r.Context(), strings.TrimSpace(token))
}

func (s *Server) certificateUser(chain []*x509.Certificate) (user authenticationv1.UserInfo, ok bool, err error) {
	options := x509.VerifyOptions{Roots: s.cfg.TLS.ClientCAs, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return user, false, err
	}
	subject := chain[0].Subject
	if subject.CommonName == "" {
		return user, false, errors.New("the certificate has no common name")
	}
	return authenticationv1.UserInfo{Username: subject.CommonName, Groups: append(subject.Organization, "system:authenticated")}, true, nil
}
