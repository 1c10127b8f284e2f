// Package join is how a node comes to belong to a cluster, and stays: a token and the node's key requests in,
// certificates and what the cluster is like out.
//
// The server's half, a Door, decides who may be which node and which range of addresses its pods get; both are kept on
// the Node. The node's half, Keys, owns the node's private keys, which never leave it, and renews its certificates
// while it runs. The daemon calls both. When the server is gone a node goes on with the certificates it has, which last
// for months after the first attempt to renew them.
package join

import (
	"net/netip"
)

// Paths of the door on the API's port.
const (
	PathAuthority = "/proa/ca"   // GET, for everybody: the authority's certificate. The token's hash makes it trustworthy.
	PathJoin      = "/proa/join" // POST, with the token or the node's certificate
)

// Request asks for certificates of a node.
type Request struct {
	Node           string       `json:"node"`
	PodRange       netip.Prefix `json:"podRange"`       // what the node's pods have now; not valid: none yet
	ClientRequest  []byte       `json:"clientRequest"`  // PEM CERTIFICATE REQUEST
	ServingRequest []byte       `json:"servingRequest"` // of another key
}

// Answer is what the node needs to work.
type Answer struct {
	Authority   []byte `json:"authority"` // PEM
	Client      []byte `json:"client"`    // PEM; the certificate as which the node asks the API
	Serving     []byte `json:"serving"`   // PEM; the certificate that the node's own API shows
	NodeSetting        // what this node got
	Cluster            // what all nodes share
}

// NodeSetting is what one node got.
type NodeSetting struct {
	Address  netip.Addr   `json:"address"` // from which the node called, and by which others call it
	PodRange netip.Prefix `json:"podRange"`
}

// Cluster is what all nodes share.
type Cluster struct {
	Pods     netip.Prefix `json:"pods"` // addresses of all pods
	Services netip.Prefix `json:"services"`
	DNS      netip.Addr   `json:"dns"`
	Domain   string       `json:"domain"`
}
