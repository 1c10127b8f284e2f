package daemon

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver/auth"
	"proa/client"
	"proa/client/cache"
	"proa/client/remote"
	"proa/kinds"
	"proa/kinds/podspec"
	"proa/node"
	"proa/node/serve"
	"proa/ops/join"
)

// Agent runs a node of the cluster at server (https://ADDRESS:PORT) until ctx ends. It joins with the token unless it has
// joined before. ready is called when the node is Ready. Containers go on when it ends.
func Agent(ctx context.Context, cfg *Config, server, token string, ready func()) error {
	return run(ctx, cfg, func(ctx context.Context, parts *group) (func() error, error) {
		a := &agent{cfg: cfg}
		if err := a.join(ctx, server, token, parts); err != nil {
			return nil, err
		}
		runtime, err := startContainers(ctx, cfg)
		if err != nil {
			return nil, err
		}
		plane, err := newDataPlane(cfg)
		if err != nil {
			return nil, err
		}
		if err := plane.link(); err != nil {
			return nil, err
		}
		if err := a.reach(ctx, parts); err != nil {
			return nil, err
		}
		if err := startNode(ctx, cfg, plane, runtime, a.api, a.serveNode, parts); err != nil {
			return nil, err
		}
		ready()
		return nil, nil
	})
}

// agent is a node's way to a cluster that is elsewhere.
type agent struct {
	cfg    *Config
	keys   *join.Keys
	remote *remote.Remote
	api    *cache.Cache
}

// join gets the node's certificates, and takes over what the cluster is like.
func (a *agent) join(ctx context.Context, server, token string, parts *group) error {
	begin := time.Now()
	var err error
	a.keys, err = join.NewKeys(join.KeysConfig{
		Dir: filepath.Join(a.cfg.DataDir, "node"), Server: server, Token: token, Node: a.cfg.NodeName, Address: a.cfg.NodeIP,
		Log: a.cfg.Log, Renewed: func() { a.remote.Reconnect() },
	})
	if err != nil {
		return err
	}
	if err := a.keys.Join(ctx); err != nil {
		return err
	}
	if err := a.adopt(); err != nil {
		return err
	}
	a.remote, err = remote.New(remote.Config{Server: a.keys.Server(), Kinds: kinds.Builtin(), TLS: a.keys.ClientTLS(), Agent: "proa-agent/" + a.cfg.Version})
	if err != nil {
		return err
	}
	parts.add("node keys", a.keys.Run)
	a.cfg.Progress("joined", time.Since(begin))
	return nil
}

// adopt makes what the cluster is like the configuration.
func (a *agent) adopt() error {
	own, cluster := a.keys.Settings()
	cfg := a.cfg
	cfg.NodeIP, cfg.NodePods = own.Address, own.PodRange
	cfg.Pods, cfg.Services, cfg.Domain = cluster.Pods, cluster.Services, cluster.Domain
	if dns := cfg.dnsServiceIP(); dns != cluster.DNS {
		return fmt.Errorf("the cluster's DNS is at %s, not at %s: this program is not of the server's version", cluster.DNS, dns)
	}
	if !isLocal(own.Address) {
		return fmt.Errorf("the server sees this machine as %s, which is none of its addresses: nodes behind address translation cannot join; if the machine moved, remove %s and join again",
			own.Address, filepath.Join(cfg.DataDir, "node"))
	}
	return cfg.check()
}

func isLocal(addr netip.Addr) bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return true // nobody can say that it is not
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(addr.AsSlice()) {
			return true
		}
	}
	return false
}

// reach begins to follow the API, and returns when the node's view of it is complete.
func (a *agent) reach(ctx context.Context, parts *group) error {
	begin := time.Now()
	var err error
	a.api, err = cache.New(cache.Config{API: a.remote, Kinds: kinds.Builtin(), Tables: nodeTables(a.cfg.NodeName), Log: a.cfg.Log})
	if err != nil {
		return err
	}
	parts.add("API cache", a.api.Run)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.api.Ready():
	}
	a.cfg.Progress("API reached", time.Since(begin))
	return nil
}

// nodeTables lists what a node reads: what its authorization lets it, and no more.
func nodeTables(name string) []cache.Table {
	return []cache.Table{
		{Name: "pods", Fields: "spec.nodeName=" + name},
		{Name: "nodes"},
		{Name: "services"},
		{Name: "persistentvolumes"},
		{Name: "endpointslices.discovery.k8s.io"},
		{Name: "configmaps", Of: "pods", NamedBy: namedBy(podspec.ConfigMap, "configmaps")},
		{Name: "secrets", Of: "pods", NamedBy: namedBy(podspec.Secret, "secrets")},
	}
}

// namedBy yields the objects of one kind that a pod refers to while it has not ended.
func namedBy(kind podspec.ReferenceKind, table string) func(client.Object) iter.Seq[client.Ref] {
	return func(obj client.Object) iter.Seq[client.Ref] {
		return func(yield func(client.Ref) bool) {
			pod, ok := obj.(*v1.Pod)
			if !ok || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
				return
			}
			for r := range podspec.References(pod) {
				if r.Kind == kind && !yield(client.Ref{Table: table, Namespace: pod.Namespace, Name: r.Name}) {
					return
				}
			}
		}
	}
}

// serveNode starts the API of a node whose cluster is elsewhere: the cluster is asked who may use it.
func (a *agent) serveNode(n *node.Agent, parts *group) error {
	return serveNode(a.cfg, n, a.keys.ServingTLS(), a.authorizeNode, parts)
}

func (a *agent) authorizeNode(ctx context.Context, what serve.Attributes) (bool, string, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range what.User.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: what.User.Username, UID: what.User.UID, Groups: what.User.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: what.Verb, Version: "v1", Resource: "nodes", Subresource: what.Subresource, Name: a.cfg.NodeName},
	}}
	obj, err := a.api.Create(ctx, client.Ref{Table: "subjectaccessreviews.authorization.k8s.io"}, "", review, metav1.CreateOptions{})
	if err != nil {
		return false, "", fmt.Errorf("ask the cluster: %w", err)
	}
	answer, ok := obj.(*authorizationv1.SubjectAccessReview)
	if !ok {
		return false, "", fmt.Errorf("ask the cluster: it answered with %T", obj)
	}
	return answer.Status.Allowed, answer.Status.Reason, nil
}

// front serves what is below /proa/ by the door that nodes join by, and all else by the API. The door authenticates by itself,
// with the API's authenticator, for its authority must be shown to those who cannot yet.
func (c *control) front(authenticator auth.Authenticator) (http.Handler, error) {
	door, err := join.NewDoor(join.DoorConfig{
		Authenticate: func(r *http.Request) (string, []string, bool, error) {
			u, ok, err := authenticator.Authenticate(r)
			return u.Name, u.Groups, ok, err
		},
		Sign: c.keys.SignNode, Authority: c.keys.CA(), API: c.as(systemUser, auth.GroupMasters),
		Names: []string{c.cfg.NodeName}, Ranges: []netip.Prefix{c.cfg.NodePods},
		Cluster: join.Cluster{Pods: c.cfg.Pods, Services: c.cfg.Services, DNS: c.cfg.dnsServiceIP(), Domain: c.cfg.Domain}, Log: c.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	api := c.api.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/proa/") { // no ServeMux: it would clean the API's paths
			door.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}), nil
}
