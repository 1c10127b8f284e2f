package discovery

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/gnostic-models/openapiv2"
	"github.com/google/gnostic-models/openapiv3"
	"github.com/munnerz/goautoneg"
	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/openapiconv"
)

// schemas serves OpenAPI: version 3 in one document for each group version, version 2 in one for all.
//
// A document is rendered when it is first asked for. What is kept is its JSON, compressed, a few percent of what rendering
// takes; most clusters are never asked for most of them.
type schemas struct {
	h  *Handler
	mu struct {
		sync.Mutex // held while rendering, so that a burst of clients renders once
		compressed map[string]rendered
	}
}

// rendered is a compressed document with the hash that it had.
type rendered struct {
	hash string
	doc  []byte
}

// serve answers paths below /openapi/.
func (s *schemas) serve(w http.ResponseWriter, r *http.Request, path string) bool {
	switch {
	case path == "/openapi/v3":
		s.serveIndex(w)
		return true
	case path == "/openapi/v2":
		s.serveDocument(w, r, path, version2)
		return true
	}
	for gvPath := range s.documents() {
		if path == "/openapi/v3/"+gvPath {
			if asked := r.URL.Query().Get("hash"); asked != "" && asked != s.hash(gvPath) {
				http.Redirect(w, r, s.location(gvPath), http.StatusMovedPermanently)
				return true
			} else if asked != "" {
				w.Header().Set("Cache-Control", "public, immutable")
				w.Header().Set("Expires", time.Now().AddDate(1, 0, 0).UTC().Format(http.TimeFormat))
			}
			s.serveDocument(w, r, gvPath, version3)
			return true
		}
	}
	return false
}

// documents lists the documents of version 3: the path of each group version.
func (s *schemas) documents() map[string]schema.GroupVersion {
	all := map[string]schema.GroupVersion{}
	for _, g := range s.h.now().groups {
		for _, v := range g.versions {
			gv := schema.GroupVersion{Group: g.name, Version: v.name}
			all[gvPath(gv)] = gv
		}
	}
	return all
}

func gvPath(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}

func (s *schemas) serveIndex(w http.ResponseWriter) {
	type entry struct {
		URL string `json:"serverRelativeURL"`
	}
	paths := map[string]entry{}
	for path := range s.documents() {
		paths[path] = entry{s.location(path)}
	}
	writeJSON(w, map[string]any{"paths": paths})
}

func (s *schemas) location(path string) string {
	return "/openapi/v3/" + path + "?hash=" + s.hash(path)
}

// hash changes whenever a document may. What decides a document is the program and the resources that it serves, so
// these are hashed: hashing the document would render all of them to answer for the index.
func (s *schemas) hash(path string) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{s.h.cfg.Version, path}) // a hash takes everything
	gv := s.documents()[path]
	for _, g := range s.h.now().groups {
		for _, v := range g.versions {
			if path == "/openapi/v2" || g.name == gv.Group && v.name == gv.Version {
				_ = json.NewEncoder(h).Encode(v.resources)
				s.hashCustom(h, schema.GroupVersion{Group: g.name, Version: v.name}, v.resources)
			}
		}
	}
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
}

// hashCustom hashes the schemas of the kinds that users defined.
func (s *schemas) hashCustom(h io.Writer, gv schema.GroupVersion, resources []metav1.APIResource) {
	for i := range resources {
		if row := s.h.cfg.Kinds.ByResource(gv.WithResource(resources[i].Name)); row != nil && row.Custom != nil {
			_, _ = io.WriteString(h, row.Custom.Digest()) // a hash takes everything
		}
	}
}

// openapiVersion says how a version of OpenAPI is named and turned into protobuf.
type openapiVersion struct {
	media   []string // "SUBTYPE" of application/
	toProto func([]byte) ([]byte, error)
}

var (
	version2 = openapiVersion{
		media: []string{"com.github.proto-openapi.spec.v2@v1.0+protobuf", "com.github.proto-openapi.spec.v2.v1.0+protobuf"},
		toProto: func(doc []byte) ([]byte, error) {
			parsed, err := openapi_v2.ParseDocument(doc)
			if err != nil {
				return nil, err
			}
			return proto.Marshal(parsed)
		},
	}
	version3 = openapiVersion{
		media: []string{"com.github.proto-openapi.spec.v3@v1.0+protobuf", "com.github.proto-openapi.spec.v3.v1.0+protobuf"},
		toProto: func(doc []byte) ([]byte, error) {
			parsed, err := openapi_v3.ParseDocument(doc)
			if err != nil {
				return nil, err
			}
			return proto.Marshal(parsed)
		},
	}
)

func (s *schemas) serveDocument(w http.ResponseWriter, r *http.Request, name string, version openapiVersion) {
	version.answer(w, r, s.hash(name), func() ([]byte, error) { return s.compressed(name) })
}

// AnswerOpenAPI2 answers with a document of OpenAPI 2, which document gives as compressed JSON, in the form that the client asks
// for. hash changes when the document does.
func AnswerOpenAPI2(w http.ResponseWriter, r *http.Request, hash string, document func() ([]byte, error)) {
	version2.answer(w, r, hash, document)
}

func (v openapiVersion) answer(w http.ResponseWriter, r *http.Request, hash string, document func() ([]byte, error)) {
	w.Header().Add("Vary", "Accept")
	binary, ok := v.wanted(r.Header.Get("Accept"))
	if !ok {
		http.Error(w, "only application/json and application/"+v.media[0]+" are served", http.StatusNotAcceptable)
		return
	}
	etag := `"` + hash + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	compressed, err := document()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !binary {
		writeCompressed(w, r, compressed)
		return
	}
	doc, err := decompress(compressed)
	if err == nil {
		doc, err = v.toProto(doc)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/"+v.media[1])
	_, _ = w.Write(doc) // the client is gone if this fails
}

// wanted says whether a client prefers the binary form, and whether it takes any.
func (v openapiVersion) wanted(accept string) (binary, ok bool) {
	if accept == "" {
		return false, true
	}
	for _, clause := range goautoneg.ParseAccept(accept) {
		if clause.Type != "application" && clause.Type != "*" {
			continue
		}
		switch clause.SubType {
		case "json", "*":
			return false, true
		case v.media[0], v.media[1]:
			return true, true
		}
	}
	return false, false
}

func (s *schemas) compressed(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := s.hash(name)
	if had, ok := s.mu.compressed[name]; ok && had.hash == hash {
		return had.doc, nil
	}
	doc, err := s.render(name)
	if err != nil {
		return nil, err
	}
	small, err := Compress(doc)
	if err != nil {
		return nil, err
	}
	if s.mu.compressed == nil {
		s.mu.compressed = map[string]rendered{}
	}
	s.mu.compressed[name] = rendered{hash, small}
	return small, nil
}

// Compress makes of a document what is kept of it.
func Compress(doc []byte) ([]byte, error) {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := zip.Write(doc); err != nil {
		return nil, fmt.Errorf("compress schemas: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compress schemas: %w", err)
	}
	return bytes.Clone(b.Bytes()), nil
}

func (s *schemas) render(name string) ([]byte, error) {
	d := newDocuments(s.h.cfg, name == "/openapi/v2")
	for _, g := range s.h.now().groups {
		for i := range g.versions {
			gv := schema.GroupVersion{Group: g.name, Version: g.versions[i].name}
			if name == "/openapi/v2" || name == gvPath(gv) {
				d.add(gv, g.versions[i].resources)
			}
		}
	}
	swagger := d.swagger()
	if name == "/openapi/v2" {
		return json.Marshal(swagger)
	}
	return json.Marshal(openapiconv.ConvertV2ToV3(swagger))
}

func writeCompressed(w http.ResponseWriter, r *http.Request, compressed []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(compressed) // the client is gone if this fails
		return
	}
	doc, err := decompress(compressed)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(doc) // the client is gone if this fails
}

func decompress(compressed []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("decompress schemas: %w", err)
	}
	doc, err := io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("decompress schemas: %w", err)
	}
	return doc, nil
}
