package apiserver_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// hookServer is webhooks with a certificate of their own.
type hookServer struct {
	t      *testing.T
	server *httptest.Server // nil until a script names a webhook
	mu     struct {
		sync.Mutex
		answers  map[string]string // by name: the response's fields in YAML
		requests []map[string]any
	}
}

func newHookServer(t *testing.T) *hookServer {
	h := &hookServer{t: t}
	h.mu.answers = map[string]string{}
	return h
}

// set says what the webhook of a name answers: fields of the AdmissionResponse, whose "patch" is written as it is meant; or,
// with "code", that HTTP code and "text"; with "version" in another version than the request's.
func (h *hookServer) set(name, answer string) string {
	if h.server == nil {
		h.server = httptest.NewUnstartedServer(h)
		h.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
		h.server.StartTLS()
		h.t.Cleanup(h.server.Close)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.answers[name] = answer
	return ""
}

func (h *hookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var review, answer map[string]any
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if err == nil {
		err = yaml.Unmarshal([]byte(h.mu.answers[name]), &answer)
	}
	if err != nil {
		h.t.Errorf("webhook %s: %v", name, err)
		return
	}
	request := review["request"].(map[string]any)
	h.mu.requests = append(h.mu.requests, map[string]any{"webhook": r.URL.RequestURI(), "apiVersion": review["apiVersion"], "request": request})
	if code, ok := answer["code"].(float64); ok {
		w.WriteHeader(int(code))
		fmt.Fprint(w, answer["text"])
		return
	}
	if patch, ok := answer["patch"]; ok {
		text, _ := json.Marshal(patch) // was YAML
		answer["patch"] = text
	}
	if _, ok := answer["uid"]; !ok {
		answer["uid"] = request["uid"]
	}
	version := review["apiVersion"]
	if other, ok := answer["version"]; ok {
		version = other
		delete(answer, "version")
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": version, "kind": "AdmissionReview", "response": answer})
}

// name puts the server's address and authority into a request.
func (h *hookServer) name(text string) string {
	if h.server == nil {
		return text
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.server.Certificate().Raw})
	return strings.NewReplacer("WEBHOOK", h.server.Listener.Addr().String(), "BUNDLE", base64.StdEncoding.EncodeToString(bundle)).Replace(text)
}

// hide takes them out of an answer again.
func (h *hookServer) hide(text string) string {
	if h.server == nil {
		return text
	}
	return strings.ReplaceAll(text, h.server.Listener.Addr().String(), "WEBHOOK")
}

// asked prints what webhooks were asked since the last time: of each who, about what, and with whole all that they saw.
func (h *hookServer) asked(whole bool) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out strings.Builder
	for _, r := range h.mu.requests {
		request := r["request"].(map[string]any)
		dropManaged(request)
		if whole {
			text, err := yaml.Marshal(r)
			if err != nil {
				h.t.Fatal(err)
			}
			out.Write(text)
			continue
		}
		resource := request["resource"].(map[string]any)
		fmt.Fprintf(&out, "%s: %v %v/%v/%v", r["webhook"], request["operation"], resource["group"], resource["version"], resource["resource"])
		if sub, ok := request["subResource"]; ok {
			fmt.Fprintf(&out, "/%v", sub)
		}
		fmt.Fprintf(&out, " %v/%v as %v\n", request["namespace"], request["name"], request["kind"].(map[string]any)["kind"])
	}
	h.mu.requests = nil
	return uids.ReplaceAllString(out.String(), "UID")
}
