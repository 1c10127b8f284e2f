package verbs

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/audit"
	"proa/apiserver/auth"
	"proa/apiserver/chain"
	"proa/apiserver/encode"
	"proa/kinds/resource"
)

// handlers are the verbs of a resource, by the name that the request's path and method give them.
var handlers = map[string]func(*Verbs, http.ResponseWriter, *call) error{
	"get":              (*Verbs).serveGet,
	"list":             (*Verbs).serveList,
	"watch":            (*Verbs).serveWatch,
	"create":           (*Verbs).serveCreate,
	"update":           (*Verbs).serveUpdate,
	"patch":            (*Verbs).servePatch,
	"delete":           (*Verbs).serveDelete,
	"deletecollection": (*Verbs).serveDeleteCollection,
}

// Serve answers a request about a resource. It returns false, and writes nothing, when no resource has that name.
func (v *Verbs) Serve(w http.ResponseWriter, r *http.Request, info *chain.Info) bool {
	version := encode.VersionOf(v.Kinds, schema.GroupVersionResource{Group: info.Group, Version: info.Version, Resource: info.Resource})
	if version == nil {
		return v.serveLegacyBinding(w, r, info)
	}
	if !rightScope(version.Resource, info) {
		return false
	}
	user, _ := auth.UserFrom(r.Context())
	c := &call{raw: r, Request: Request{User: user, Verb: info.Verb, Version: version, Namespace: info.Namespace,
		Name: info.Name, Subresource: info.Subresource, Manager: managerOf(r.UserAgent()), Warn: chain.Warner(w), Annotate: audit.From(r.Context()).Notes()}}
	if version.Resource.Table() == "namespaces" {
		c.Namespace = ""
	}
	serve, err := v.route(c, info)
	if serve == nil && err == nil {
		return false
	}
	if err == nil {
		err = serve(v, w, c)
	}
	if err != nil && errors.Is(r.Context().Err(), context.DeadlineExceeded) {
		w.Header().Set("Connection", "close") // what is left of the request was not read
		err = chain.TimedOut()
	}
	if err != nil {
		c.respond(v).Error(w, translate(err, &c.Request))
	}
	return true
}

// route finds the handler and what the client accepts, and warns of a version that is deprecated as soon as upstream would:
// of custom kinds at once, of others as far as it finds a handler, before it looks at anything.
func (v *Verbs) route(c *call, info *chain.Info) (handler, error) {
	r := c.Version.Resource
	warn := func() {
		if text := c.Version.Deprecated(); text != "" && !info.Deprecated {
			info.Deprecated = true
			c.warn(text)
		}
	}
	if r.Custom != nil {
		warn()
	}
	serve, err := v.find(c, info)
	if serve == nil || err != nil {
		return nil, err
	}
	if info.Verb == "patch" && (info.Subresource == "" || info.Subresource == "status" || info.Subresource == "scale") {
		if _, err := c.patchType(); err != nil {
			return nil, err
		}
	}
	c.accept, err = encode.Negotiate(c.raw, offer(r, info.Subresource))
	if !encode.Unrouted(err) {
		warn()
	}
	if info.Verb == "list" || info.Verb == "watch" {
		err = encode.OfferStreams(err)
	}
	return serve, err
}

// rightScope refuses a cluster's resource under a namespace, and single objects of a namespace without one.
func rightScope(r *resource.Resource, info *chain.Info) bool {
	if r.Namespaced {
		return info.Namespace != "" || len(info.Parts) == 1
	}
	return info.Namespace == "" || r.Table() == "namespaces" && info.Resource == "namespaces" && info.Name == info.Namespace
}

type handler = func(*Verbs, http.ResponseWriter, *call) error

// find picks the handler; nil without an error means that there is nothing under that path.
func (v *Verbs) find(c *call, info *chain.Info) (handler, error) {
	r := c.Version.Resource
	if r.Custom != nil {
		return findCustom(c, info)
	}
	if c.raw.Method == http.MethodHead && info.Subresource != "proxy" { // what is behind a proxy knows its methods itself
		return nil, errMethod
	}
	if info.Subresource != "" {
		return v.findDoor(c, info)
	}
	if len(info.Parts) > 2 {
		return nil, nil
	}
	if r.Virtual {
		return v.findAnswer(c)
	}
	if info.Verb == "proxy" {
		return nil, nil // an old path; nobody serves it
	}
	if info.Verb == "watch" && c.raw.Method != http.MethodGet {
		return nil, errMethod // the old path of watches, which says the verb whatever the method is
	}
	if r.Namespaced && info.Namespace == "" && info.Verb != "list" && info.Verb != "watch" {
		return nil, errMethod // across namespaces there is only reading
	}
	verbs := r.Verbs
	if verbs == nil {
		verbs = resource.AllVerbs
	}
	named := len(info.Parts) == 2
	switch info.Verb {
	case "create":
		if named { // POST to a name
			return nil, errMethod
		}
	case "update", "patch":
		if !named {
			return nil, errMethod
		}
	}
	if !slices.Contains(verbs, info.Verb) || handlers[info.Verb] == nil {
		return nil, errMethod
	}
	return handlers[info.Verb], nil
}
