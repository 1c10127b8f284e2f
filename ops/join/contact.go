package join

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Refused is the server's word that it will not let the node in. Asking again the same way does not help.
type Refused struct{ Reason string }

func (r *Refused) Error() string { return r.Reason }

// contact is how a node talks to the door. It is used for one request.
type contact struct {
	server string     // https://HOST:PORT
	from   netip.Addr // the node's address; not valid: the one that the routes choose
}

// answerLimit bounds what is read of an answer.
const answerLimit = 1 << 20

func (c contact) do(ctx context.Context, config *tls.Config, req *http.Request) ([]byte, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if c.from.IsValid() { // certificates are for the address that the server sees
		dialer.LocalAddr = &net.TCPAddr{IP: c.from.AsSlice()}
	}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, c.explain(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", c.server, err)
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return body, nil
	case resp.StatusCode == http.StatusNotFound:
		return nil, &Refused{fmt.Sprintf("%s is no Proa server: it has no %s", c.server, req.URL.Path)}
	case resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests:
		return nil, &Refused{strings.TrimSpace(string(body))}
	}
	return nil, fmt.Errorf("%s answered %s: %s", c.server, resp.Status, strings.TrimSpace(string(body)))
}

// explain turns the errors that users can act on into one line each.
func (c contact) explain(err error) error {
	var wrongName x509.HostnameError
	if errors.As(err, &wrongName) {
		return &Refused{fmt.Sprintf("the server's certificate is not for %s: give --server an address of the server that it knows, or start the server with --node-ip %s", wrongName.Host, wrongName.Host)}
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return &Refused{fmt.Sprintf("%s shows a certificate that its cluster's authority did not sign", c.server)}
	}
	return fmt.Errorf("reach the server %s: %w", c.server, err)
}

// authority fetches the authority's certificate and checks it by the token. Nothing secret is sent.
func (c contact) authority(ctx context.Context, token Token) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, c.server+PathAuthority, nil)
	if err != nil {
		return nil, &Refused{err.Error()}
	}
	// Whoever answers is not trusted: what it says is compared with the token's hash.
	body, err := c.do(ctx, &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, req)
	if err != nil {
		return nil, err
	}
	if err := token.trusts(body); err != nil {
		return nil, &Refused{err.Error()}
	}
	return body, nil
}

// ask sends a request, with the token's secret or, when that is empty, with a certificate.
func (c contact) ask(ctx context.Context, authority []byte, secret string, certificate *tls.Certificate, q *Request) (*Answer, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequest(http.MethodPost, c.server+PathJoin, bytes.NewReader(body))
	if err != nil {
		return nil, &Refused{err.Error()}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, errors.New("the cluster's authority is no certificate")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	} else {
		config.Certificates = []tls.Certificate{*certificate}
	}
	answer, err := c.do(ctx, config, req)
	if err != nil {
		return nil, err
	}
	a := &Answer{}
	if err := json.Unmarshal(answer, a); err != nil {
		return nil, fmt.Errorf("read answer of %s: %w", c.server, err)
	}
	return a, nil
}

// serverURL checks the server's address as users write it.
func serverURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("the server %q is not of the form https://ADDRESS:6443", text)
	}
	return "https://" + u.Host, nil
}
