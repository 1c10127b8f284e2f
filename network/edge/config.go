// Package edge is the cluster's front door: it leads HTTP, HTTPS and WebSocket requests by host and path to the pods behind
// Services, as Ingresses say.
//
// It is two halves. One follows the API and writes down, in one file, which host and path lead where, and the certificates;
// the other is a process of its own that reads the file and serves. So requests are served while the control plane is
// away or is replaced: the door goes on with the routes it has. Routes change between two requests, never within one.
// Who is the door's peer is seen by pods in X-Forwarded-For.
package edge

import (
	"encoding/json"
	"fmt"
	"os"
)

// Routes is what the door serves by.
type Routes struct {
	Rules        []Rule              `json:"rules"`
	Backends     map[string][]string `json:"backends"`     // by name: the addresses, HOST:PORT
	Certificates []Certificate       `json:"certificates"` // the first that covers a name is taken
}

// Rule leads requests to a backend. Of the rules that match a request the most specific one counts: see router.
type Rule struct {
	Host    string `json:"host,omitempty"` // exact, or with * for its first label; "" is every host
	Path    string `json:"path,omitempty"` // "" is every path
	Exact   bool   `json:"exact,omitempty"`
	Backend string `json:"backend"`
	From    string `json:"from"` // the Ingress, for people: namespace/name
}

// Certificate is a certificate chain and its key, in PEM.
type Certificate struct {
	Hosts []string `json:"hosts,omitempty"` // none: those that the certificate names
	Chain string   `json:"chain"`
	Key   string   `json:"key"`
}

// Read reads what Sync wrote.
func Read(path string) (*Routes, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	r := &Routes{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	return r, nil
}
