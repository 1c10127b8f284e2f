package verbs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"proa/store"
)

// continueToken is where a list goes on: the revision it is of, and the first key that is not listed yet. It reads
// and writes upstream's form, so that clients which look into it find what they know.
type continueToken struct {
	APIVersion string `json:"v"`
	Revision   int64  `json:"rv"` // -1: the newest, which makes the list inconsistent
	Start      string `json:"start"`
}

const tokenVersion = "meta.k8s.io/v1"

func encodeContinue(last store.Key, namespaced bool, namespace string, rev store.Revision) string {
	start := last.Name
	if namespaced && namespace == "" {
		start = last.Namespace + "/" + last.Name
	}
	b, _ := json.Marshal(continueToken{tokenVersion, int64(rev), start + "\x00"}) // a struct of strings and a number
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeContinue gives the last key that was listed and the revision, -1 for the newest.
func decodeContinue(token, table string, namespaced bool, namespace string) (store.Key, store.Revision, error) {
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return store.Key{}, 0, fmt.Errorf("continue key is not valid: %v", err) //nolint:errorlint // shown to users
	}
	var t continueToken
	if err := json.Unmarshal(data, &t); err != nil {
		return store.Key{}, 0, fmt.Errorf("continue key is not valid: %v", err) //nolint:errorlint // shown to users
	}
	switch {
	case t.APIVersion != tokenVersion:
		return store.Key{}, 0, fmt.Errorf("continue key is not valid: server does not recognize this encoded version %s", t.APIVersion)
	case t.Revision == 0:
		return store.Key{}, 0, errors.New("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
	case t.Start == "":
		return store.Key{}, 0, errors.New("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")
	}
	start := strings.TrimSuffix(t.Start, "\x00")
	if clean := path.Clean("/" + start); clean != "/"+start || strings.ContainsRune(start, 0) {
		return store.Key{}, 0, fmt.Errorf("continue key is not valid: %s", t.Start)
	}
	key := store.Key{Table: table, Namespace: namespace, Name: start}
	if namespaced && namespace == "" {
		var ok bool
		if key.Namespace, key.Name, ok = strings.Cut(start, "/"); !ok {
			return store.Key{}, 0, fmt.Errorf("continue key is not valid: %s", t.Start)
		}
	}
	if strings.Contains(key.Name, "/") {
		return store.Key{}, 0, fmt.Errorf("continue key is not valid: %s", t.Start)
	}
	return key, store.Revision(t.Revision), nil
}
