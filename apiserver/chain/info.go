package chain

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/fields"
)

// Info says what a request is about, as authorization and the verbs see it.
type Info struct {
	IsResource  bool
	Path        string
	Verb        string // the API's, or the lower-case method when IsResource is false
	Prefix      string // "api" or "apis"
	Group       string
	Version     string
	Namespace   string
	Resource    string
	Subresource string
	Name        string
	Parts       []string // resource, name, subresource, and whatever follows

	// Selectors as sent, for requests that act on many objects.
	FieldSelector, LabelSelector string

	Deprecated bool // the resource will be removed; the verbs say so

	waited  atomic.Int64 // nanoseconds that the request spent on others: its turn, and webhooks
	stopped atomic.Bool  // the chain refused it to protect the server
}

// Waited notes that a request waited for what is no business of the server's own.
func Waited(ctx context.Context, d time.Duration) {
	if info := InfoFrom(ctx); info != nil {
		info.waited.Add(int64(d))
	}
}

type infoKey struct{}

// InfoFrom returns what ParseInfo found for the request of ctx. It is nil outside the chain.
func InfoFrom(ctx context.Context) *Info {
	info, _ := ctx.Value(infoKey{}).(*Info)
	return info
}

// WithInfo returns a context that carries info.
func WithInfo(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, infoKey{}, info)
}

// namespaceDoors are the words after /namespaces/NAME/ that belong to the namespace itself.
var namespaceDoors = map[string]bool{"status": true, "finalize": true}

// ParseInfo reads a request's path, method and, to tell a watch from a list, its query. These forms are resources:
//
//	/api/VERSION/RESOURCE[/NAME[/SUBRESOURCE[/...]]]
//	/api/VERSION/namespaces/NAMESPACE/RESOURCE[/NAME[/SUBRESOURCE[/...]]]
//	/api/VERSION/watch/...          (deprecated; the verb is watch)
//
// and the same under /apis/GROUP. An error means a resource path that cannot be understood. Empty segments are
// dropped only at both ends, so that "a//b" never means "a/b" to one part of the system and not to another.
func ParseInfo(r *http.Request) (*Info, error) {
	info := &Info{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}
	parts := splitPath(r.URL.Path)
	if len(parts) < 3 || parts[0] != "api" && parts[0] != "apis" {
		return info, nil
	}
	prefix := parts[0]
	parts = parts[1:]
	if prefix == "apis" {
		if len(parts) < 3 {
			return info, nil
		}
		info.Group, parts = parts[0], parts[1:]
	}
	info.Prefix, info.IsResource, info.Version, parts = prefix, true, parts[0], parts[1:]
	watchPath := false
	switch {
	case parts[0] == "watch" || parts[0] == "proxy":
		if len(parts) < 2 {
			return info, fmt.Errorf("unable to determine kind and namespace from url, %v", r.URL)
		}
		info.Verb, parts, watchPath = parts[0], parts[1:], true
	default:
		info.Verb = methodVerbs[r.Method]
	}
	if parts[0] == "namespaces" && len(parts) > 1 {
		info.Namespace = parts[1]
		if len(parts) > 2 && !namespaceDoors[parts[2]] {
			parts = parts[2:]
		}
	}
	info.Parts = parts
	info.Resource = parts[0]
	if len(parts) > 1 {
		info.Name = parts[1]
	}
	if len(parts) > 2 && info.Verb != "proxy" {
		info.Subresource = parts[2]
	}
	info.collection(r.URL, watchPath)
	return info, nil
}

var methodVerbs = map[string]string{http.MethodPost: "create", http.MethodGet: "get", http.MethodHead: "get",
	http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}

// collection finds the verbs of requests without a name, and the name that a field selector stands for.
func (i *Info) collection(u *url.URL, watchPath bool) {
	if i.Name != "" && !watchPath {
		return
	}
	var query url.Values
	if u.RawQuery != "" {
		query = u.Query()
	}
	if i.Verb == "get" && i.Name == "" {
		i.Verb = "list"
		if isWatch(query) {
			i.Verb = "watch"
		}
		i.Name = selectedName(query.Get("fieldSelector"))
	}
	if i.Verb == "delete" {
		i.Verb = "deletecollection"
	}
	if !watchPath {
		i.FieldSelector, i.LabelSelector = query.Get("fieldSelector"), query.Get("labelSelector")
	}
}

func isWatch(query url.Values) bool {
	values, ok := query["watch"]
	if !ok || len(values) == 0 {
		return false
	}
	switch strings.ToLower(values[0]) {
	case "false", "0":
		return false
	}
	return true
}

func selectedName(selector string) string {
	if selector == "" {
		return ""
	}
	parsed, err := fields.ParseSelector(selector)
	if err != nil {
		return ""
	}
	name, ok := parsed.RequiresExactMatch("metadata.name")
	if !ok || len(path.IsValidPathSegmentName(name)) > 0 {
		return ""
	}
	return name
}

func splitPath(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}
