// Package aggregate lets Services of the cluster serve API groups beside the API server's own: requests to a version that an
// APIService gives to a Service go there, and discovery tells of it as of any other.
//
// It decides where a request goes, and owns the list of such versions, which it follows in the store, and what each last said
// that it serves. The API server hands it every request first; the controller of APIServices has it look whether a Service
// answers. While the Service is away its version answers 503, and everything else is as before. Where no APIService names
// a Service, it costs a request one look at an empty list.
package aggregate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/apiserver/callout"
	"proa/internal/measure"
	"proa/kinds/apiregistration"
	"proa/store"
)

const table = "apiservices.apiregistration.k8s.io"

// Config says whom the API server calls, and as whom.
type Config struct {
	Source store.Store     // required
	Caller *callout.Caller // required
	// ClientCertificate is the front proxy's, by which aggregated servers know that they may believe who asks. Required.
	ClientCertificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
}

// Aggregator passes requests on. It is safe for many goroutines.
type Aggregator struct {
	cfg            Config
	safe, insecure *tls.Config
	routes         atomic.Pointer[routes]
	merged         atomic.Pointer[merged]
	falls          *measure.Table[fall, atomic.Int64]
	mu             struct {
		sync.Mutex
		resources map[schema.GroupVersion][]metav1.APIResource // what each version last said that it serves
	}
}

// routes are the versions that Services serve. They never change.
type routes struct {
	byVersion map[schema.GroupVersion]*route
}

// route is where one version is served.
type route struct {
	name      string // of the APIService
	version   schema.GroupVersion
	priority  apiregistration.Priority
	available bool
	reason    string // why it is not
	target    callout.Target
}

// New makes an aggregator that knows what is in the store now. Run makes it follow.
func New(c Config) (*Aggregator, error) {
	if c.Source == nil || c.Caller == nil || c.ClientCertificate == nil {
		return nil, errors.New("make aggregator: Source, Caller and ClientCertificate are required")
	}
	a := &Aggregator{cfg: c, falls: newFalls(), safe: &tls.Config{MinVersion: tls.VersionTLS12, GetClientCertificate: c.ClientCertificate}}
	a.insecure = a.safe.Clone()
	a.insecure.InsecureSkipVerify = true // by the wish of who wrote the APIService
	a.mu.resources = map[schema.GroupVersion][]metav1.APIResource{}
	a.read(c.Source.Snapshot())
	return a, nil
}

// Run follows the APIServices until ctx ends.
func (a *Aggregator) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		snap := a.cfg.Source.Snapshot()
		a.read(snap)
		watcher, err := a.cfg.Source.Watch(table, snap.Revision())
		if errors.Is(err, store.ErrCompacted) {
			continue
		}
		for err == nil {
			if _, err = watcher.Next(ctx); err == nil {
				a.read(a.cfg.Source.Snapshot())
			}
		}
		if !errors.Is(err, store.ErrCompacted) && ctx.Err() == nil {
			return fmt.Errorf("follow APIServices: %w", err)
		}
	}
	return nil
}

// read makes the routes of a state.
func (a *Aggregator) read(snap store.Snapshot) {
	all := &routes{byVersion: map[schema.GroupVersion]*route{}}
	for item := range snap.List(table, "", store.Key{}) {
		if s, ok := item.Value().(*apiregistrationv1.APIService); ok && s.Spec.Service != nil && s.Spec.Group != "" {
			r := a.route(s)
			all.byVersion[r.version] = r
		}
	}
	a.count(a.routes.Load(), all)
	a.routes.Store(all)
	a.mu.Lock()
	defer a.mu.Unlock()
	for version := range a.mu.resources {
		if all.byVersion[version] == nil {
			delete(a.mu.resources, version)
		}
	}
}

func (a *Aggregator) route(s *apiregistrationv1.APIService) *route {
	secure := a.safe
	if s.Spec.InsecureSkipTLSVerify {
		secure = a.insecure
	}
	service := callout.Service{Namespace: s.Spec.Service.Namespace, Name: s.Spec.Service.Name}
	if s.Spec.Service.Port != nil {
		service.Port = *s.Spec.Service.Port
	}
	reason := ""
	if c := apiregistration.Available(s); c != nil && c.Status != apiregistrationv1.ConditionTrue {
		reason = c.Reason
	}
	return &route{
		name: s.Name, reason: reason,
		version:   schema.GroupVersion{Group: s.Spec.Group, Version: s.Spec.Version},
		priority:  apiregistration.Priority{Group: s.Spec.GroupPriorityMinimum, Version: s.Spec.VersionPriority},
		available: apiregistration.IsAvailable(s),
		target:    callout.Target{Service: &service, CABundle: s.Spec.CABundle, TLS: secure},
	}
}
