package join

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"proa/client"
)

// DoorConfig is what a Door needs. All fields are required unless said otherwise.
type DoorConfig struct {
	// Authenticate finds out who asks, by the rules of the API: the token's user, or a node by its certificate.
	Authenticate func(*http.Request) (name string, groups []string, ok bool, err error)
	// Sign issues a node's two certificates; see pki.SignNode.
	Sign      func(name string, clientRequest, servingRequest []byte, dns []string, addresses []net.IP) (client, serving []byte, err error)
	Authority []byte        // PEM, shown to everybody
	API       client.Client // may read leases, and read and write nodes; its views are up to date
	Cluster   Cluster
	// Names and Ranges belong to nodes that do not join, such as the one in the server's process. Optional.
	Names  []string
	Ranges []netip.Prefix
	Now    func() time.Time // optional: time.Now
	Log    *slog.Logger     // optional
}

// By these the door knows who asks. A bootstrap token of upstream's kind does not open it: it may only ask for what roles
// give it.
const (
	userJoiner = "system:bootstrap:proa"
	groupNodes = "system:nodes"
	userOfNode = "system:node:"
)

// Door lets nodes in. It is an http.Handler of PathAuthority and PathJoin, and stands before the API's own filters:
// it authenticates by itself.
type Door struct {
	cfg DoorConfig
	mux *http.ServeMux
	// one lets nodes in one after the other, so that two do not find the same range free. Several servers meet at the
	// revision of the node's name, not here: see settle.
	one sync.Mutex
}

// NewDoor makes a door.
func NewDoor(cfg DoorConfig) (*Door, error) {
	if cfg.Authenticate == nil || cfg.Sign == nil || cfg.Authority == nil || cfg.API == nil {
		return nil, errors.New("make the door for nodes: Authenticate, Sign, Authority and API are required")
	}
	if !cfg.Cluster.Pods.Addr().Is4() {
		return nil, errors.New("make the door for nodes: Cluster.Pods must be an IPv4 range")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	d := &Door{cfg: cfg, mux: http.NewServeMux()}
	d.mux.HandleFunc("GET "+PathAuthority, d.showAuthority)
	d.mux.HandleFunc("POST "+PathJoin, d.join)
	return d, nil
}

// ServeHTTP implements http.Handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

func (d *Door) showAuthority(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(d.cfg.Authority) // the caller has left if this fails
}

// refusal is an error that the caller is told, in one line.
type refusal struct {
	code int
	text string
}

func (r refusal) Error() string { return r.text }

// requestLimit bounds a request's body; two key requests are some kilobytes.
const requestLimit = 64 << 10

func (d *Door) join(w http.ResponseWriter, r *http.Request) {
	answer, err := d.admit(r)
	var no refusal
	switch {
	case errors.As(err, &no):
		d.cfg.Log.Warn("node was not let in", "remote", r.RemoteAddr, "reason", no.text)
		http.Error(w, no.text, no.code)
		return
	case err != nil:
		d.cfg.Log.Error("let node in", "remote", r.RemoteAddr, "error", err)
		http.Error(w, "the server could not let the node in; its log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // a node that did not get it asks again, with the same key
}

// admit checks the caller, gives the node its place and signs its certificates.
func (d *Door) admit(r *http.Request) (*Answer, error) {
	user, groups, ok, err := d.cfg.Authenticate(r)
	if err != nil || !ok {
		return nil, refusal{http.StatusUnauthorized, "the token is wrong: proa token, run on the server, prints the right one"}
	}
	var q Request
	if err := json.NewDecoder(io.LimitReader(r.Body, requestLimit)).Decode(&q); err != nil {
		return nil, refusal{http.StatusBadRequest, "the request is not one: " + err.Error()}
	}
	switch {
	case user == userJoiner:
	case slices.Contains(groups, groupNodes) && user == userOfNode+q.Node:
	default:
		return nil, refusal{http.StatusForbidden, fmt.Sprintf("user %q may not be node %q", user, q.Node)}
	}
	if reservedName(q.Node, d.cfg.Names) {
		return nil, refusal{http.StatusConflict, fmt.Sprintf("node name %q is the server's own: give this node another --node-name", q.Node)}
	}
	c, err := claimOf(r, &q)
	if err != nil {
		return nil, refusal{http.StatusBadRequest, err.Error()}
	}
	// A certificate is for the address that the caller has shown to be its own by calling from it, and no other: by one for
	// the server's address it could pass for the server.
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, fmt.Errorf("read the caller's address: %w", err)
	}
	address := from.Addr().Unmap()
	signedClient, signedServing, err := d.cfg.Sign(q.Node, q.ClientRequest, q.ServingRequest, nil, []net.IP{address.AsSlice()})
	if err != nil { // the name or a request is malformed; nothing has been written yet
		return nil, refusal{http.StatusBadRequest, err.Error()}
	}
	podRange, err := d.settle(r.Context(), &q, c)
	if err != nil {
		return nil, err
	}
	d.cfg.Log.Info("node let in", "node", q.Node, "address", address, "pods", podRange)
	return &Answer{
		Authority: d.cfg.Authority, Client: signedClient, Serving: signedServing,
		NodeSetting: NodeSetting{Address: address, PodRange: podRange}, Cluster: d.cfg.Cluster,
	}, nil
}

// claimOf finds the keys that a request is about.
func claimOf(r *http.Request, q *Request) (claim, error) {
	block, _ := pem.Decode(q.ClientRequest)
	if block == nil {
		return claim{}, errors.New("the client request is no PEM")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return claim{}, fmt.Errorf("read the client request: %w", err)
	}
	c := claim{key: hashKey(request.RawSubjectPublicKeyInfo)}
	// With a token in the request, the token is who asks, whatever the connection shows.
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		c.holder = hashKey(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)
	}
	return c, nil
}

func hashKey(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	return hex.EncodeToString(sum[:])
}
