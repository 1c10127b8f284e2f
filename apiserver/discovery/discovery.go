// Package discovery tells clients what the API server serves: groups, versions, resources, and their schemas.
//
// It decides nothing: everything is rendered from the table of kinds. It owns the rendered documents that are small;
// schemas are rendered when somebody asks and kept only in compressed form. The API server hands it every GET below
// /api, /apis, /openapi and /version that names no resource. There is nothing whose absence it would notice.
package discovery

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"

	"proa/apiserver/encode"
	"proa/kinds"
)

// Config says what is served.
type Config struct {
	Kinds   *kinds.Table    // required
	Scheme  *runtime.Scheme // required: names the Go types of bodies that are in no row, such as Scale
	Version version.Info    // what /version answers; see VersionInfo
	Doors   []Door          // subresources that no row lists; StandardDoors if nil
}

// Handler answers discovery. It is safe for many goroutines.
type Handler struct {
	cfg     Config
	current atomic.Pointer[served]
	schemas schemas
}

// served is what there is, for as long as the table of kinds stays as it is. It never changes.
type served struct {
	generation uint64
	groups     []group

	aggregated struct {
		sync.Once
		core, named document
	}
}

// New renders nothing yet.
func New(cfg Config) *Handler {
	if cfg.Doors == nil {
		cfg.Doors = StandardDoors()
	}
	h := &Handler{cfg: cfg}
	h.schemas.h = h
	return h
}

// now is what is served at this moment.
func (h *Handler) now() *served {
	generation := h.cfg.Kinds.Generation()
	if s := h.current.Load(); s != nil && s.generation == generation {
		return s
	}
	// The rows may be newer than the generation that was read before them: then the next caller gathers them once more.
	s := &served{generation: generation, groups: groupsOf(h.cfg.Kinds, h.cfg.Doors)}
	h.current.Store(s)
	return s
}

// Serve answers the request, or returns false when its path is none of discovery's.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request) bool {
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case path == "/version":
		h.respond(w, r, &h.cfg.Version)
		return true
	case strings.HasPrefix(path, "/openapi/"):
		return h.schemas.serve(w, r, path)
	case path == "/api":
		if !h.serveAggregated(w, r, true) {
			h.respond(w, r, coreVersions(r))
		}
		return true
	case path == "/apis":
		if !h.serveAggregated(w, r, false) {
			h.respond(w, r, h.groupList())
		}
		return true
	}
	return h.serveGroup(w, r, path)
}

// serveGroup answers /api/V, /apis/G and /apis/G/V.
func (h *Handler) serveGroup(w http.ResponseWriter, r *http.Request, path string) bool {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var name, wanted string
	switch {
	case len(parts) == 2 && parts[0] == "api" && parts[1] != "":
		wanted = parts[1]
	case len(parts) == 2 && parts[0] == "apis" && parts[1] != "":
		name = parts[1]
	case len(parts) == 3 && parts[0] == "apis" && parts[1] != "" && parts[2] != "":
		name, wanted = parts[1], parts[2]
	default:
		return false
	}
	groups := h.now().groups
	for i := range groups {
		g := &groups[i]
		if g.name != name {
			continue
		}
		if wanted == "" {
			h.respond(w, r, g.document())
			return true
		}
		for j := range g.versions {
			if g.versions[j].name == wanted {
				h.respond(w, r, g.versions[j].resourceList(g.name))
				return true
			}
		}
	}
	return false
}

// respond writes a document in the form that the client asked for. A document that is no API object, such as the
// version, is always JSON.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, document any) {
	if obj, ok := document.(runtime.Object); ok {
		accept, err := encode.Negotiate(r, encode.Binary)
		responder := encode.Responder{Accept: accept, Request: r}
		if err != nil {
			responder.Error(w, err)
			return
		}
		_ = responder.Body(w, http.StatusOK, obj) // the client is gone if this fails
		return
	}
	if err := encode.NegotiateJSON(r); err != nil {
		encode.Responder{Request: r}.Error(w, err)
		return
	}
	writeJSON(w, document)
}

func coreVersions(r *http.Request) *metav1.APIVersions {
	return &metav1.APIVersions{
		TypeMeta:                   metav1.TypeMeta{Kind: "APIVersions"},
		Versions:                   []string{"v1"},
		ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{{ClientCIDR: "0.0.0.0/0", ServerAddress: r.Host}},
	}
}

func (h *Handler) groupList() *metav1.APIGroupList {
	list := &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{}}
	groups := h.now().groups
	for i := range groups {
		if groups[i].name != "" {
			g := groups[i].document()
			g.TypeMeta = metav1.TypeMeta{}
			list.Groups = append(list.Groups, *g)
		}
	}
	return list
}
