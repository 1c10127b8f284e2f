package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/transport"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"proa/apiserver/auth"
)

const (
	attempts     = 5               // of a check, at the same time; one is enough
	checkTimeout = 5 * time.Second // a Service that needs longer to say what it serves is not there
	answerLimit  = 3 << 20         // bytes of a document
)

// Check asks the Service of an APIService what it serves, and remembers the answer for discovery.
func (a *Aggregator) Check(ctx context.Context, s *apiregistrationv1.APIService) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	to := a.route(s)
	type answer struct {
		list metav1.APIResourceList
		err  error
	}
	answers := make(chan answer, attempts)
	for range attempts { // several, because one of several pods may not answer
		go func() {
			var got answer
			got.err = a.fetch(ctx, to, "/apis/"+to.version.String(), &got.list)
			answers <- got
		}()
	}
	var last error
	for range attempts {
		got := <-answers
		if last = got.err; last == nil {
			a.mu.Lock()
			a.mu.resources[to.version] = got.list.APIResources
			a.mu.Unlock()
			return nil
		}
	}
	return last
}

// self is the API server itself, which may read all.
var self = auth.User{Name: "system:kube-aggregator", Groups: []string{auth.GroupMasters}}

// fetch reads a document of an aggregated server.
func (a *Aggregator) fetch(ctx context.Context, to *route, path string, into any) error {
	return a.ask(ctx, to, question{method: http.MethodGet, path: path, user: self}, into)
}

// question is a request without a body.
type question struct {
	method      string
	path, query string
	user        auth.User
}

// badStatus is an answer that is no success.
type badStatus struct {
	at   *url.URL
	code int
}

func (b badStatus) Error() string { return fmt.Sprintf("bad status from %v: %d", b.at, b.code) }

func isStatus(err error, code int) bool {
	var b badStatus
	return errors.As(err, &b) && b.code == code
}

// ask puts a question to an aggregated server in the front proxy's name, and reads its answer.
func (a *Aggregator) ask(ctx context.Context, to *route, q question, into any) error {
	endpoint, err := a.cfg.Caller.Endpoint(to.target)
	if err != nil {
		return err
	}
	at := endpoint.URL
	at.Path, at.RawQuery = q.path, q.query
	fail := func(err error) error { return fmt.Errorf("failing or missing response from %v: %w", &at, err) }
	request, err := http.NewRequestWithContext(ctx, q.method, at.String(), nil)
	if err != nil {
		return fail(err)
	}
	request.Header.Set("Accept", "application/json")
	transport.SetAuthProxyHeaders(request, q.user.Name, q.user.UID, q.user.Groups, q.user.Extra)
	response, err := endpoint.Transport().RoundTrip(request)
	if err != nil {
		return fail(err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fail(badStatus{&at, response.StatusCode})
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err == nil && len(body) > answerLimit {
		err = errors.New("the answer is too large")
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}
