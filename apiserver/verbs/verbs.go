package verbs

import (
	"context"
	"errors"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/utils/clock"

	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/apiserver/patch"
	"proa/apiserver/settle"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
)

// Config says what the verbs work on.
type Config struct {
	Store      store.Store                         // required
	Kinds      *kinds.Table                        // required
	Admission  *admit.Chain                        // required
	Fields     *patch.Fields                       // required
	Authorizer auth.Authorizer                     // required: asked again when an update turns out to create
	Clock      clock.WithTickerAndDelayedExecution // required
	Stopping   context.Context                     // optional: ends when watches are to end
	Doors      map[string]Door                     // optional: subresources that others serve: "pods/log"
	Tokens     TokenIssuer                         // optional: serves serviceaccounts/token
	Answer     Answer                              // optional: answers the kinds that are not stored
	Observed   Observed                            // optional: yields the kinds that are seen, not stored
}

// Door serves a subresource that is not a view of the stored object.
type Door func(w http.ResponseWriter, r *http.Request, q Request)

// Verbs serves all resources of a table of kinds.
type Verbs struct {
	Config
	decode func(*store.Item) any
	crowds crowds
	settle settle.Pool
}

// New makes the verbs of a configuration.
func New(c Config) (*Verbs, error) {
	if c.Store == nil || c.Kinds == nil || c.Admission == nil || c.Fields == nil || c.Authorizer == nil || c.Clock == nil {
		return nil, errors.New("make verbs: Store, Kinds, Admission, Fields, Authorizer and Clock are required")
	}
	return &Verbs{Config: c, decode: encode.Decoder(c.Kinds)}, nil
}

// Request is one call of a verb, from a client or from inside.
type Request struct {
	User        auth.User
	Verb        string // the API's name: "create"
	Version     *encode.Version
	Namespace   string
	Name        string
	Subresource string
	Manager     string // the field manager when options name none: the user agent's first word
	Warn        func(string)
	Annotate    func(key, value string) // adds to the audit's record; optional

	options  runtime.Object // as admission shows them to webhooks
	body     *admit.Body    // what is written to a subresource, if not the object
	admitted bool           // admission was asked about a request of which this is a part
}

func (q *Request) warn(text string) {
	if q.Warn != nil {
		q.Warn(text)
	}
}

// warning is a context by which the rules of custom kinds warn.
func (q *Request) warning(ctx context.Context) context.Context {
	if q.Warn == nil || q.Version.Resource.Custom == nil {
		return ctx
	}
	return warning.WithWarningRecorder(ctx, recorder(q.Warn))
}

// recorder is how upstream's libraries warn.
type recorder func(text string)

// AddWarning implements warning.Recorder.
func (r recorder) AddWarning(_, text string) { r(text) }

func (q *Request) annotate(key, value string) {
	if q.Annotate != nil {
		q.Annotate(key, value)
	}
}

// withOptions is the request with what the client asked for besides.
func (q Request) withOptions(kind string, options runtime.Object) Request {
	options.GetObjectKind().SetGroupVersionKind(metav1.SchemeGroupVersion.WithKind(kind))
	q.options = options
	return q
}

func (q *Request) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: q.Version.Kind.Group, Resource: q.Version.Resource.Name}
}

// groupKind is what errors call the object: upstream's rules know one group of each kind, whichever a request came through.
// An object of a custom kind is called as it calls itself, even if that is what is wrong with it.
func (q *Request) groupKind(obj resource.Object) schema.GroupKind {
	if q.Version.Resource.Custom != nil {
		return obj.GetObjectKind().GroupVersionKind().GroupKind()
	}
	return q.Version.Resource.GroupVersionKind().GroupKind()
}

func (q *Request) manager(name string) string {
	if name != "" {
		return name
	}
	return q.Manager
}

// key is where the store keeps the object that the request names.
func (q *Request) key() store.Key {
	k := store.Key{Table: q.Version.Resource.Table(), Name: q.Name}
	if q.Version.Resource.Namespaced {
		k.Namespace = q.Namespace
	}
	return k
}
