package cache_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"k8s.io/utils/clock"

	"proa/apiserver"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/client"
	"proa/client/cache"
	"proa/client/clienttest"
	"proa/client/remote"
	"proa/kinds"
	"proa/store"
	"proa/store/storetest"
)

// everybody is whom the server takes all requests for; it may do anything.
type everybody struct{}

var tester = auth.User{Name: "tester", Groups: []string{auth.GroupMasters, auth.GroupAuthenticated}}

func (everybody) Authenticate(*http.Request) (auth.User, bool, error) { return tester, true, nil }

func (everybody) Authorize(context.Context, auth.Attributes) (bool, string, error) {
	return true, "", nil
}

// place is a real API over a store in memory.
type place struct {
	kinds *kinds.Table
	store store.Store
	api   *apiserver.Server
	http  *httptest.Server
}

func newPlace(t *testing.T) *place {
	p := &place{kinds: kinds.Builtin()}
	p.store = storetest.New(t, encode.Decoder(p.kinds))
	var err error
	p.api, err = apiserver.New(apiserver.Config{Store: p.store, Kinds: p.kinds, Scheme: kinds.NewScheme(), Authenticator: everybody{}, Authorizer: everybody{}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve makes the API reachable through a front, which may break what passes.
func (p *place) serve(t *testing.T, front func(http.Handler) http.Handler) {
	p.http = httptest.NewUnstartedServer(front(p.api.Handler()))
	p.http.EnableHTTP2 = true
	p.http.StartTLS()
	t.Cleanup(func() {
		p.http.CloseClientConnections()
		p.http.Close()
	})
}

func plain(h http.Handler) http.Handler { return h }

func (p *place) remote(t *testing.T) *remote.Remote {
	r, err := remote.New(remote.Config{Server: p.http.URL, Kinds: p.kinds, TLS: p.http.Client().Transport.(*http.Transport).TLSClientConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// cache starts a cache of tables.
func (p *place) cache(t *testing.T, c clock.Clock, tables ...cache.Table) *cache.Cache {
	cached, err := cache.New(cache.Config{API: p.remote(t), Kinds: p.kinds, Tables: tables, Clock: c, Random: func() float64 { return 0.5 }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := cached.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return cached
}

func TestConformanceOverHTTPS(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) client.Client {
		p := newPlace(t)
		p.serve(t, plain)
		c := p.cache(t, nil, cache.Table{Name: "configmaps"}, cache.Table{Name: "pods"}, cache.Table{Name: "nodes"})
		<-c.Ready()
		return c
	})
}

func TestConformanceInProcess(t *testing.T) {
	clienttest.Run(t, func(t *testing.T) client.Client { return newPlace(t).api.Local(tester) })
}
