package aggregate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/kube-openapi/pkg/aggregator"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"proa/apiserver/discovery"
)

// swaggerPath is where the one document of OpenAPI version 2 is, which describes all versions.
const swaggerPath = "/openapi/v2"

// merged is the API server's document together with those of Services, compressed. It is made anew when one of them changes.
type merged struct {
	hash string // of all that it is made of
	doc  []byte
}

// part is what a Service said that its version is like.
type part struct {
	to  *route
	doc json.RawMessage
}

// serveSwagger describes all versions: a Service describes its own, and nothing else that it may speak of.
func (a *Aggregator) serveSwagger(w http.ResponseWriter, r *http.Request, local Local, all *routes) bool {
	parts := a.parts(r.Context(), all)
	if len(parts) == 0 {
		return local(w, r)
	}
	own := ask(local, r, "application/json")
	if own.code != http.StatusOK {
		return local(w, r)
	}
	h := sha256.New()
	fmt.Fprint(h, own.header.Get("ETag"))
	for _, p := range parts {
		fmt.Fprint(h, p.to.version, len(p.doc))
		h.Write(p.doc)
	}
	hash := fmt.Sprintf("%X", h.Sum(nil))
	discovery.AnswerOpenAPI2(w, r, hash, func() ([]byte, error) {
		if m := a.merged.Load(); m != nil && m.hash == hash {
			return m.doc, nil
		}
		doc, err := merge(own.body.Bytes(), parts)
		if err != nil {
			return nil, err
		}
		a.merged.Store(&merged{hash, doc})
		return doc, nil
	})
	return true
}

// parts asks the Services, the one with the highest priority first. One that has no document is served all the same.
func (a *Aggregator) parts(ctx context.Context, all *routes) []part {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var parts []part
	for _, to := range all.byVersion {
		if to.available {
			parts = append(parts, part{to: to})
		}
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(b.to.priority.Group, a.to.priority.Group), cmp.Compare(b.to.priority.Version, a.to.priority.Version),
			strings.Compare(a.to.version.String(), b.to.version.String()))
	})
	var asked sync.WaitGroup
	for i := range parts {
		asked.Go(func() {
			if a.fetch(ctx, parts[i].to, swaggerPath, &parts[i].doc) != nil {
				parts[i].doc = nil
			}
		})
	}
	asked.Wait()
	return slices.DeleteFunc(parts, func(p part) bool { return p.doc == nil })
}

// merge adds the paths of each part's version, and what they need. Definitions of the same name that differ get other names.
func merge(own []byte, parts []part) ([]byte, error) {
	whole := &spec.Swagger{}
	if err := json.Unmarshal(own, whole); err != nil {
		return nil, fmt.Errorf("read the API server's own schemas: %w", err)
	}
	for _, p := range parts {
		theirs := &spec.Swagger{}
		if json.Unmarshal(p.doc, theirs) != nil || theirs.Paths == nil {
			continue // what it says is no document, and its kinds are served all the same
		}
		theirs = aggregator.FilterSpecByPathsWithoutSideEffects(theirs, []string{"/apis/" + p.to.version.String() + "/"})
		if err := aggregator.MergeSpecsIgnorePathConflictRenamingDefinitionsAndParameters(whole, theirs); err != nil {
			return nil, fmt.Errorf("merge the schemas of %s: %w", p.to.version, err)
		}
	}
	doc, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("encode schemas: %w", err)
	}
	return discovery.Compress(doc)
}
