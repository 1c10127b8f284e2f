package daemon

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"

	"proa/apiserver/auth"
	"proa/node"
	"proa/node/serve"
)

// serveNode starts the API of the node in this process. Who may use it is decided here, without a request.
func (c *control) serveNode(agent *node.Agent, parts *group) error {
	cfg := c.cfg
	_, serving, err := c.keys.Node(cfg.NodeName, nil, []net.IP{cfg.nodeIP().AsSlice()})
	if err != nil {
		return err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ClientCAs: c.keys.CAPool(), GetCertificate: serving.GetCertificate}
	return serveNode(cfg, agent, config, c.authorizeNode, parts)
}

func (c *control) authorizeNode(ctx context.Context, a serve.Attributes) (bool, string, error) {
	extra := map[string][]string{}
	for k, v := range a.User.Extra {
		extra[k] = v
	}
	return c.access.Authorize(ctx, auth.Attributes{
		User: auth.User{Name: a.User.Username, UID: a.User.UID, Groups: a.User.Groups, Extra: extra},
		Verb: a.Verb, APIVersion: "v1", Resource: "nodes", Subresource: a.Subresource, Name: c.cfg.NodeName, IsResourceRequest: true,
	})
}

// authorize says whether a caller of the node's API may do what it asks.
type authorize func(ctx context.Context, a serve.Attributes) (allowed bool, reason string, err error)

// serveNode adds the node's API to the parts.
func serveNode(cfg *Config, agent *node.Agent, config *tls.Config, may authorize, parts *group) error {
	server, err := serve.New(serve.Config{
		NodeName: cfg.NodeName, Address: netip.AddrPortFrom(cfg.nodeIP(), cfg.NodePort).String(), TLS: config,
		Authorize: may, Pods: agent.Pods(), Runtime: agent.Runtime().Runtime(), Log: cfg.Log,
	})
	if err != nil {
		return err
	}
	parts.add("node API", server.Run)
	return nil
}
