package aggregate

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// schemaIndex lists the documents of OpenAPI version 3 by the path of what they describe.
type schemaIndex struct {
	Paths map[string]json.RawMessage `json:"paths"`
}

// serveSchemas lists the schemas of all versions: a Service that has some says so itself, and serves them.
func (a *Aggregator) serveSchemas(w http.ResponseWriter, r *http.Request, local Local, all *routes) bool {
	answer := ask(local, r, "application/json")
	var index schemaIndex
	if answer.code != http.StatusOK || json.Unmarshal(answer.body.Bytes(), &index) != nil {
		return local(w, r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for version, to := range all.byVersion {
		if !to.available {
			continue
		}
		wg.Go(func() {
			var theirs schemaIndex
			if a.fetch(ctx, to, schemaPrefix, &theirs) != nil {
				return // it has no schemas, and its kinds are served all the same
			}
			path := strings.TrimPrefix("/apis/"+version.String(), "/")
			mu.Lock()
			defer mu.Unlock()
			if document := theirs.Paths[path]; document != nil {
				index.Paths[path] = document
			}
		})
	}
	wg.Wait()
	body, err := json.Marshal(index)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client is gone if this fails
	return true
}
