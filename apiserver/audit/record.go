package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"proa/apiserver/auth"
	"proa/internal/measure"
)

// longestAgent is how much of a User-Agent is kept.
const longestAgent = 1024

// Sink takes events. They are shared: a sink changes none.
type Sink interface {
	// Write is called from many goroutines. It returns when the event is kept, or in a buffer. An error is counted by the
	// caller and stops nothing.
	Write(events ...*auditv1.Event) error
	// Run does what the sink does beside Write until ctx ends, and then what is left to do.
	Run(ctx context.Context) error
}

// Config says what an Auditor works with.
type Config struct {
	Policy *auditv1.Policy // required
	Sinks  []Sink          // required: at least one
	Scheme *runtime.Scheme // required: names the types of bodies in protobuf
	Now    func() time.Time
}

// Auditor begins records as its policy says.
type Auditor struct {
	config Config
	events atomic.Int64
	failed atomic.Int64
}

// New makes an Auditor. It starts nothing.
func New(c Config) (*Auditor, error) {
	if c.Policy == nil || len(c.Sinks) == 0 || c.Scheme == nil {
		return nil, errors.New("make auditor: Policy, Sinks and Scheme are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Auditor{config: c}, nil
}

// Measures lists what dashboards know as apiserver_audit_*. A nil Auditor has counted nothing.
func (a *Auditor) Measures() []measure.Family {
	events := measure.Family{Name: "apiserver_audit_event_total", Help: "Audit events that were made", Type: measure.Counter}
	failed := measure.Family{Name: "apiserver_audit_error_total", Help: "Audit events that were not kept", Type: measure.Counter}
	if a != nil {
		events.Add(float64(a.events.Load()))
		failed.Add(float64(a.failed.Load()))
	}
	return []measure.Family{events, failed}
}

// Run runs the sinks until ctx ends.
func (a *Auditor) Run(ctx context.Context) error {
	failed := make([]error, len(a.config.Sinks))
	var wg sync.WaitGroup
	for i, s := range a.config.Sinks {
		wg.Go(func() { failed[i] = s.Run(ctx) })
	}
	wg.Wait()
	return errors.Join(failed...)
}

// Record is what is written down of one request. A nil Record takes everything and keeps nothing.
type Record struct {
	auditor *Auditor
	kept    kept
	mu      struct {
		sync.Mutex
		event   auditv1.Event
		started bool // the stage ResponseStarted has been written
		ended   bool // the last stage has been written: what is told now is too late
		ref     auditv1.ObjectReference
		status  metav1.Status
	}
}

// Begin makes the record of a request, or nil if the policy keeps nothing of it. r is nil for requests of this process.
func (a *Auditor) Begin(id string, by *auth.Attributes, r *http.Request) *Record {
	if a == nil {
		return nil
	}
	k := decide(a.config.Policy, by)
	if k.level == auditv1.LevelNone || k.level == "" {
		return nil
	}
	rec := &Record{auditor: a, kept: k}
	e := &rec.mu.event
	e.TypeMeta = metav1.TypeMeta{Kind: "Event", APIVersion: auditv1.SchemeGroupVersion.String()}
	e.Level, e.AuditID, e.Verb, e.User = k.level, types.UID(id), by.Verb, userInfo(by.User)
	e.RequestReceivedTimestamp = metav1.NewMicroTime(a.config.Now())
	if r != nil {
		e.RequestURI, e.SourceIPs, e.UserAgent = r.URL.RequestURI(), sources(r), r.UserAgent()
		if len(e.UserAgent) > longestAgent {
			e.UserAgent = e.UserAgent[:longestAgent] + "...TRUNCATED"
		}
	}
	if by.IsResourceRequest {
		rec.mu.ref = auditv1.ObjectReference{Namespace: by.Namespace, Name: by.Name, Resource: by.Resource, Subresource: by.Subresource,
			APIGroup: by.APIGroup, APIVersion: by.APIVersion}
		e.ObjectRef = &rec.mu.ref
	}
	rec.write(auditv1.StageRequestReceived)
	return rec
}

func userInfo(u auth.User) authenticationv1.UserInfo {
	info := authenticationv1.UserInfo{Username: u.Name, UID: u.UID, Groups: u.Groups}
	for key, values := range u.Extra {
		if info.Extra == nil {
			info.Extra = map[string]authenticationv1.ExtraValue{}
		}
		info.Extra[key] = values
	}
	return info
}

// sources are the addresses that a request came through, the client's first as far as proxies tell it.
func sources(r *http.Request) []string {
	var all []string
	add := func(text string) {
		if ip := net.ParseIP(strings.TrimSpace(text)); ip != nil && !slices.Contains(all, ip.String()) {
			all = append(all, ip.String())
		}
	}
	for forwarded := range strings.SplitSeq(r.Header.Get("X-Forwarded-For"), ",") {
		add(forwarded)
	}
	if len(all) == 0 {
		add(r.Header.Get("X-Real-Ip"))
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	add(host)
	return all
}

// Bodies says whether the bodies of requests and of responses are kept.
func (r *Record) Bodies() (request, response bool) {
	if r == nil {
		return false, false
	}
	return r.kept.level == auditv1.LevelRequest || r.kept.level == auditv1.LevelRequestResponse, r.kept.level == auditv1.LevelRequestResponse
}

// About adds to the reference of the event what the object that was sent says of itself and the path does not.
func (r *Record) About(sent metav1.Object) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ref := r.mu.event.ObjectRef
	if ref == nil || r.mu.ended {
		return
	}
	ref.Name, ref.Namespace = cmp.Or(ref.Name, sent.GetName()), cmp.Or(ref.Namespace, sent.GetNamespace())
	ref.UID, ref.ResourceVersion = cmp.Or(ref.UID, sent.GetUID()), cmp.Or(ref.ResourceVersion, sent.GetResourceVersion())
}

// Impersonated notes as whom the user acts, and by which constraint if there is one.
func (r *Record) Impersonated(as auth.User, constraint string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.ended {
		return
	}
	info := userInfo(as)
	r.mu.event.ImpersonatedUser = &info
	if constraint != "" {
		r.mu.event.AuthenticationMetadata = &auditv1.AuthenticationMetadata{ImpersonationConstraint: constraint}
	}
}

// Notes is Annotate for those who are told only where to note something; nil when nothing is kept.
func (r *Record) Notes() func(key, value string) {
	if r == nil {
		return nil
	}
	return r.Annotate
}

// Annotate adds what somebody knows of the request. The first value of a key stays; a write that is tried again says the same.
func (r *Record) Annotate(key, value string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.ended {
		return
	}
	if known, ok := r.mu.event.Annotations[key]; ok {
		if known == value {
			return
		}
		slog.Warn("audit annotation is there already", "key", key, "audit id", r.mu.event.AuditID)
		return
	}
	if r.mu.event.Annotations == nil {
		r.mu.event.Annotations = map[string]string{}
	}
	r.mu.event.Annotations[key] = value
}

// Decided notes what authorization said.
func (r *Record) Decided(allowed bool, reason string) {
	if r == nil {
		return
	}
	decision := "forbid"
	if allowed {
		decision = "allow"
	}
	r.Annotate("authorization.k8s.io/decision", decision)
	r.Annotate("authorization.k8s.io/reason", reason)
}

// Started tells that the answer of a request that lasts has begun.
func (r *Record) Started(code int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	first := !r.mu.started
	r.mu.started = true
	r.mu.status = metav1.Status{Code: int32(code)}
	r.mu.event.ResponseStatus = &r.mu.status
	r.mu.Unlock()
	if first {
		r.write(auditv1.StageResponseStarted)
	}
}

// Outcome is how a request ended. Request and Response are documents as they were sent, empty if they are not kept.
type Outcome struct {
	Code              int
	Request, Response Document
	Panic             any // what the handler panicked with
}

// End writes the last event of a record.
func (r *Record) End(o Outcome) {
	if r == nil {
		return
	}
	r.mu.Lock()
	e := &r.mu.event
	scheme := r.auditor.config.Scheme
	keepRequest, keepResponse := r.Bodies()
	if keepRequest {
		if request := o.Request.json(scheme, r.kept.omitOwners); request != nil {
			e.RequestObject = &runtime.Unknown{Raw: request, ContentType: runtime.ContentTypeJSON}
		}
	}
	response := o.Response.json(scheme, r.kept.omitOwners)
	r.mu.status = statusOf(o.Code, response)
	e.ResponseStatus = &r.mu.status
	if keepResponse && response != nil {
		e.ResponseObject = &runtime.Unknown{Raw: response, ContentType: runtime.ContentTypeJSON}
	}
	stage := auditv1.StageResponseComplete
	if o.Panic != nil {
		stage = auditv1.StagePanic
		r.mu.status = metav1.Status{Code: http.StatusInternalServerError, Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError,
			Message: fmt.Sprintf("APIServer panic'd: %v", o.Panic)}
	}
	r.mu.Unlock()
	r.write(stage)
}

// write gives the event as it is now to the sinks, unless the policy omits the stage.
func (r *Record) write(stage auditv1.Stage) {
	if slices.Contains(r.kept.omit, stage) {
		return
	}
	r.mu.Lock()
	e := &r.mu.event
	if stage == auditv1.StageResponseComplete || stage == auditv1.StagePanic {
		r.mu.ended = true // the sinks have the event now
	} else {
		e = e.DeepCopy()
	}
	r.mu.Unlock()
	e.Stage, e.StageTimestamp = stage, metav1.NewMicroTime(r.auditor.config.Now())
	r.auditor.events.Add(1)
	for _, s := range r.auditor.config.Sinks {
		if err := s.Write(e); err != nil {
			r.auditor.failed.Add(1)
			slog.Error("audit event was not kept", "error", err, "audit id", e.AuditID)
		}
	}
}

type recordKey struct{}

// With puts a record into the context of its request.
func With(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, recordKey{}, r)
}

// From is the record of a request; nil is one that keeps nothing.
func From(ctx context.Context) *Record {
	r, _ := ctx.Value(recordKey{}).(*Record)
	return r
}
