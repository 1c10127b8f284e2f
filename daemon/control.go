package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"proa/apiserver"
	"proa/apiserver/admit/policy"
	"proa/apiserver/aggregate"
	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/apiserver/auth/oidc"
	"proa/apiserver/auth/webhook"
	"proa/apiserver/custom"
	"proa/apiserver/discovery"
	"proa/apiserver/encode"
	"proa/apiserver/seal"
	"proa/apiserver/stream"
	"proa/client"
	"proa/internal/measure"
	"proa/kinds"
	"proa/observe/metrics"
	"proa/observe/usage"
	"proa/ops/join"
	"proa/ops/pki"
	"proa/reconcile"
	"proa/store"
	"proa/store/pebblelog"
)

// control is the control plane's serving half: keys, store, API. The controllers and the scheduler are its clients.
type control struct {
	cfg      *Config
	kinds    *kinds.Table
	keys     *pki.PKI
	store    store.Store
	custom   *custom.Kinds
	api      *apiserver.Server
	access   *auth.Access
	tokens   *auth.Tokens
	usage    *usage.Meter
	audit    *audit.Auditor // nil when nothing is written down
	policies *policy.Checker
	door     http.Handler // the API, and before it the door by which nodes join
	listen   net.Listener
	health   *health

	aggregator *aggregate.Aggregator

	// What counts for itself.
	hooks        interface{ Measures() []measure.Family } // admission webhooks
	certificates *auth.Certificates
	host         *reconcile.Host // nil while nothing acts

	// What follows files of the configuration of who may do what; nil if there are none.
	issuers    *oidc.Authenticator
	order      *webhook.Order
	encryption *seal.Follower // of who encrypts what is stored
}

// openControl opens keys and store and puts the API server together. Nothing is served yet.
func openControl(cfg *Config) (_ *control, err error) {
	c := &control{cfg: cfg, kinds: kinds.Builtin(), health: newHealth()}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	c.keys, err = pki.Open(pki.Config{
		Dir: filepath.Join(cfg.DataDir, "pki"), Names: []string{cfg.NodeName},
		Addresses: []net.IP{cfg.nodeIP().AsSlice()}, ServiceAddress: cfg.apiServiceIP().AsSlice(), Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := c.openStore(); err != nil {
		return nil, err
	}
	if c.custom, err = c.openCustom(); err != nil {
		return nil, err
	}
	if err := c.openAPI(); err != nil {
		return nil, err
	}
	return c, c.listenTLS()
}

// openStore opens the objects, some of which are encrypted on the disk.
func (c *control) openStore() error {
	own, err := seal.OpenOwn(filepath.Join(c.cfg.DataDir, "pki", "encryption.yaml"), time.Now(), c.cfg.Log)
	if err != nil {
		return err
	}
	sealer := own.Sealer()
	if c.cfg.EncryptionConfig != "" {
		if sealer, err = seal.Load(context.Background(), c.cfg.EncryptionConfig, own); err != nil {
			return err
		}
		if c.encryption, err = seal.Follow(c.cfg.EncryptionConfig, own, sealer, c.cfg.EncryptionReload, c.cfg.Log); err != nil {
			return err
		}
	}
	c.store, err = pebblelog.Open(pebblelog.Options{Dir: filepath.Join(c.cfg.DataDir, "store"), Decode: encode.Decoder(c.kinds), Sealer: sealer, Logger: c.cfg.Log,
		Failed: c.health.storeFailed})
	if err != nil {
		return err
	}
	return own.Settle()
}

// openAPI makes the API server of the store.
func (c *control) openAPI() error {
	var err error
	if c.tokens, err = auth.NewTokens(auth.TokensConfig{Key: c.keys.TokenKey(), Source: c.store, Issuer: c.issuer(), Used: c.tokenUsed}); err != nil {
		return err
	}
	c.access = auth.NewAccess(c.store)
	secret, err := join.OpenSecret(c.cfg.DataDir)
	if err != nil {
		return err
	}
	authenticator, others, err := c.authenticators(auth.NewStaticTokens(map[string]auth.User{secret: auth.Joiner()}))
	if err != nil {
		return err
	}
	streams, err := stream.New(stream.Config{Source: c.store, Authorizer: c.access, NodeTLS: c.keys.ClientTLS(c.keys.NodeClient()), LoopbackNodes: true})
	if err != nil {
		return err
	}
	scheme := kinds.NewScheme()
	reviews := &auth.Reviews{Access: c.access, Tokens: c.tokens, Others: others}
	steps, err := c.admission(scheme)
	if err != nil {
		return err
	}
	if err := c.openAggregator(); err != nil {
		return err
	}
	if c.audit, err = openAudit(&c.cfg.Audit, scheme); err != nil {
		return err
	}
	c.api, err = apiserver.New(apiserver.Config{
		Store: c.store, Kinds: c.kinds, Scheme: scheme, Audit: c.audit, Authenticator: authenticator, Authorizer: c.access,
		Admission: steps, Tokens: c.tokens, Answer: reviews.Answer, Observed: c.observed, Streams: streams, Aggregated: c.aggregator.Serve, Paths: c.paths(scheme),
	})
	if err != nil {
		return err
	}
	c.usage, err = usage.New(usage.Config{Client: c.as(systemUser, "system:masters"), Ask: streams.Ask, Log: c.cfg.Log})
	if err != nil {
		return err
	}
	c.door, err = c.front(authenticator)
	return err
}

func (c *control) issuer() string { return "https://kubernetes.default.svc." + c.cfg.Domain }

// listenTLS opens the API's port. The listener is bound before anything is served, so that a taken port is reported first.
func (c *control) listenTLS() error {
	addr := netip.AddrPortFrom(netip.IPv4Unspecified(), c.cfg.APIPort)
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	c.listen = tls.NewListener(gatherListener{l}, c.keys.ServerTLS())
	return nil
}

// close releases what openControl took.
func (c *control) close() error {
	var failed []error
	if c.listen != nil {
		c.listen.Close()
	}
	if c.store != nil {
		failed = append(failed, c.store.Close())
	}
	return errors.Join(failed...)
}

// as is a client that acts as a user of the system in this process.
func (c *control) as(name string, groups ...string) client.Client {
	return c.api.Local(auth.User{Name: name, Groups: append(groups, "system:authenticated")})
}

// paths serve what is no stored resource.
func (c *control) paths(scheme *runtime.Scheme) []func(http.ResponseWriter, *http.Request) bool {
	found := discovery.New(discovery.Config{Kinds: c.kinds, Scheme: scheme, Version: discovery.VersionInfo(c.cfg.Commit, c.cfg.BuildDate)})
	c.policies = &policy.Checker{Kinds: c.kinds, Schema: found.Schema}
	shown := metrics.New(c.measures)
	return []func(http.ResponseWriter, *http.Request) bool{shown.Serve, c.health.serve, c.aggregator.Discovery(found.Serve), c.tokens.ServeOpenID}
}
