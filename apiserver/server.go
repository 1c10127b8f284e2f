// Package apiserver is how objects are served: it puts filters, verbs and discovery together into one HTTP handler,
// and gives callers in the same process the same verbs without HTTP.
//
// It decides nothing itself: package chain lets requests in, package verbs does what they ask, package admit holds the
// list of admission steps. It owns no listener and no goroutine; the assembler serves the Handler. When the store can no
// longer be written, reads and watches go on.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"proa/apiserver/admit"
	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/apiserver/chain"
	"proa/apiserver/discovery"
	"proa/apiserver/fair"
	"proa/apiserver/patch"
	"proa/apiserver/verbs"
	"proa/kinds"
	"proa/store"
)

// Config says what the API server works with.
type Config struct {
	Store         store.Store                         // required
	Kinds         *kinds.Table                        // required
	Scheme        *runtime.Scheme                     // required: names the Go types of Kinds
	Authenticator auth.Authenticator                  // required
	Authorizer    auth.Authorizer                     // required
	Clock         clock.WithTickerAndDelayedExecution // optional: the real one
	Admission     []admit.Step                        // optional: nil means no admission; see admit.Steps

	Tokens   verbs.TokenIssuer // optional: serves serviceaccounts/token
	Answer   verbs.Answer      // optional: answers the kinds that are not stored; see auth.Reviews
	Observed verbs.Observed    // optional: yields the kinds that are seen, not stored
	Streams  Streamer          // optional: serves exec, attach, port-forward, logs and proxies
	// Aggregated answers for the versions that others serve, or returns false. Optional.
	Aggregated func(http.ResponseWriter, *http.Request) bool
	// Paths serve what is no resource: discovery, OpenAPI, health. Each answers, or returns false and leaves the request
	// to the next. Optional.
	Paths []func(http.ResponseWriter, *http.Request) bool
	Audit *audit.Auditor // optional: writes down who asked what

	Seats int // optional: for requests in flight; 0 means 600
}

// Server serves the API of one store.
type Server struct {
	config  Config
	verbs   *verbs.Verbs
	handler http.Handler
	drain   *chain.Drain
	fair    *fair.Dispatcher
	counts  *chain.Counts
	doors   []discovery.Door // what no row lists

	admission *admit.Chain
}

// New makes a server. It starts nothing.
func New(c Config) (*Server, error) {
	if c.Scheme == nil {
		return nil, errors.New("make API server: Scheme is required")
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	s := &Server{config: c, drain: chain.NewDrain(), counts: chain.NewCounts(), doors: discovery.StandardDoors(), admission: admit.New(c.Admission...)}
	v, err := verbs.New(verbs.Config{
		Store: c.Store, Kinds: c.Kinds, Admission: s.admission, Fields: patch.NewFields(c.Scheme),
		Authorizer: c.Authorizer, Clock: c.Clock, Stopping: s.drain.Stopping(), Doors: doors(c.Streams), Tokens: c.Tokens, Answer: c.Answer, Observed: c.Observed,
	})
	if err != nil {
		return nil, fmt.Errorf("make API server: %w", err)
	}
	if s.fair, err = fair.New(fair.Config{Source: c.Store, Clock: c.Clock, Seats: c.Seats}); err != nil {
		return nil, fmt.Errorf("make API server: %w", err)
	}
	filters, err := chain.Filters(chain.Config{Authenticator: c.Authenticator, Authorizer: c.Authorizer, Clock: c.Clock, Fair: s.fair,
		Audit: c.Audit, Counts: s.counts, Drain: s.drain, Serves: s.servesResource})
	if err != nil {
		return nil, fmt.Errorf("make API server: %w", err)
	}
	s.verbs = v
	s.handler = chain.Wrap(http.HandlerFunc(s.serve), filters)
	return s, nil
}

// Handler serves the whole API.
func (s *Server) Handler() http.Handler { return s.handler }

// Run shares the seats of the server among those who ask until ctx ends. Requests are served before it runs, too.
func (s *Server) Run(ctx context.Context) error { return s.fair.Run(ctx) }

// Drain refuses new requests, ends watches, and waits for requests under way or for ctx.
func (s *Server) Drain(ctx context.Context) error { return s.drain.Stop(ctx) }

// serves says whether anything is served under the request's group, in whichever version: as upstream, a wrong version
// is answered with a Status and a wrong group is not, nor is a group of custom kinds alone.
func (s *Server) serves(info *chain.Info) bool {
	for _, r := range s.config.Kinds.Rows() {
		if r.Group == info.Group && r.Custom == nil {
			return true
		}
		for _, also := range r.Served {
			if also.Group == info.Group {
				return true
			}
		}
	}
	return false
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	info := chain.InfoFrom(r.Context())
	if s.config.Aggregated != nil && s.config.Aggregated(w, r) {
		return
	}
	if info.IsResource && s.verbs.Serve(w, r, info) {
		return
	}
	for _, serve := range s.config.Paths {
		if serve(w, r) {
			return
		}
	}
	if info.IsResource && s.serves(info) {
		chain.Refuse(w, r, verbs.Wordless(http.StatusNotFound, ""))
		return
	}
	http.NotFound(w, r)
}
