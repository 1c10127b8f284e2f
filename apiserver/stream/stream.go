// Package stream serves what is no object but a connection: exec, attach, port-forward, logs, and the proxies to
// pods, services and nodes.
//
// It decides which node or pod a request goes to and owns the connections there while they last. The API server
// calls it after the filters have let the request in under the verb that they saw; exec, attach and port-forward are asked
// about again here, because a WebSocket opens with a GET and yet needs "create". When the node is gone, the answer is an
// error with the node's address in it, and nothing stays open.
//
// Where a request goes is looked up in the store's newest snapshot, and the address that was checked is the address
// that is dialled: no name is resolved in between. No redirect is ever followed.
package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/store"
)

// Config says whom to ask and how to reach nodes.
type Config struct {
	Source     auth.Source     // required
	Authorizer auth.Authorizer // required
	// NodeTLS is how nodes are called: with the server's client certificate, trusting the cluster's authority. Required.
	// The certificate that a node shows must be for the node's name.
	NodeTLS *tls.Config
	// LoopbackNodes lets a node say that it is at a loopback address. Only for a cluster on one machine.
	LoopbackNodes bool
	// Dial opens a connection to an address that has been checked. A net.Dialer's DialContext if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Streams serves the subresources. It is safe for many goroutines.
type Streams struct {
	cfg           Config
	nodes         *http.Transport // to nodes, by name
	nodesInsecure *http.Transport // the same for who asked not to verify: they get logs and nothing else
	direct        *http.Transport // to pods and services, by address
}

// Target is what the path of a request names.
type Target struct {
	User        auth.User
	Verb        string // as it was authorized
	Resource    string // "pods", "services" or "nodes"
	Namespace   string
	Name        string // for a proxy with port and scheme: "https:web:8443"
	Subresource string // "exec", "attach", "portforward", "log" or "proxy"
}

// New returns the handler; it connects to nothing yet.
func New(cfg Config) (*Streams, error) {
	if cfg.Source == nil || cfg.Authorizer == nil || cfg.NodeTLS == nil {
		return nil, errors.New("make streams: Source, Authorizer and NodeTLS are required")
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	s := &Streams{cfg: cfg}
	secure := cfg.NodeTLS.Clone()
	secure.NextProtos = []string{"http/1.1"} // an upgrade needs a connection of its own
	insecure := secure.Clone()
	insecure.InsecureSkipVerify = true
	// A node that was not verified must not learn who the server is, nor be able to act as it.
	insecure.Certificates, insecure.GetClientCertificate = nil, nil
	s.nodes = transport(secure, s.dialNode)
	s.nodesInsecure = transport(insecure, s.dialNode)
	// What runs in a pod has a certificate of its own making, if any; upstream does not verify it either.
	s.direct = transport(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}, s.dialChecked)
	return s, nil
}

func transport(config *tls.Config, dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		TLSClientConfig: config, DialContext: dial, TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
	}
}

// Serve answers the request, or returns false when the target is none of its subresources.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, t Target) bool {
	var serve func(http.ResponseWriter, *http.Request, Target) error
	switch t.Resource + "/" + t.Subresource {
	case "pods/exec", "pods/attach", "pods/portforward":
		serve = s.serveStream
	case "pods/log":
		serve = s.serveLog
	case "pods/proxy":
		serve = s.servePodProxy
	case "services/proxy":
		serve = s.serveServiceProxy
	case "nodes/proxy":
		serve = s.serveNodeProxy
	default:
		return false
	}
	r = withoutCredentials(r)
	if err := serve(w, r, t); err != nil {
		respondError(w, r, err)
	}
	return true
}

// Close ends connections that are kept for reuse. Streams under way end with their requests.
func (s *Streams) Close() {
	for _, t := range []*http.Transport{s.nodes, s.nodesInsecure, s.direct} {
		t.CloseIdleConnections()
	}
}

// withoutCredentials returns the request as others may see it: who the user is, is the API server's business.
func withoutCredentials(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	for _, header := range []string{"Authorization", "Impersonate-User", "Impersonate-Uid", "Impersonate-Group",
		"X-Remote-User", "X-Remote-Uid", "X-Remote-Group"} {
		r.Header.Del(header)
	}
	for header := range r.Header {
		if hasPrefixFold(header, "Impersonate-Extra-") || hasPrefixFold(header, "X-Remote-Extra-") {
			delete(r.Header, header)
		}
	}
	return r
}

// authorizeVerb asks whether the user may do this under another verb than the one that was already allowed.
func (s *Streams) authorizeVerb(ctx context.Context, t Target, verb string) error {
	if t.Verb == verb {
		return nil
	}
	allowed, reason, err := s.cfg.Authorizer.Authorize(ctx, auth.Attributes{
		User: t.User, Verb: verb, APIVersion: "v1", Resource: t.Resource, Subresource: t.Subresource,
		Namespace: t.Namespace, Name: t.Name, IsResourceRequest: true,
	})
	if allowed {
		return nil
	}
	if err != nil {
		return err
	}
	return apierrors.NewForbidden(schema.GroupResource{Resource: t.Resource}, t.Name, errors.New(reason))
}

// respondError writes a Status, in the form that the client asked for if it can be had.
func respondError(w http.ResponseWriter, r *http.Request, err error) {
	encode.Responder{Request: r}.Error(w, err)
}

// responder hands errors of the proxy library to respondError.
type responder struct{}

func (responder) Error(w http.ResponseWriter, r *http.Request, err error) { respondError(w, r, err) }

func lookup[T any](snap store.Snapshot, table, namespace, name string) (T, error) {
	var obj T
	item := snap.Get(store.Key{Table: table, Namespace: namespace, Name: name})
	ok := item != nil
	if ok {
		obj, ok = item.Value().(T)
	}
	if !ok {
		return obj, apierrors.NewNotFound(schema.GroupResource{Resource: table}, name)
	}
	return obj, nil
}
