package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"proa/kinds"
)

// server is one of the two, as its administrator sees it.
type server struct {
	url    string
	client *http.Client
	scheme *runtime.Scheme
	caches caches
}

func newServer(kubeconfig, url string) (*server, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.Host = url
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	client.Timeout = 30 * time.Second
	return &server{url: url, client: client, scheme: kinds.NewScheme()}, nil
}

const protobufType = "application/vnd.kubernetes.protobuf"

// generateName finds what names are to be made of, in JSON and YAML that is too broken to be read.
var generateName = regexp.MustCompile(`generateName"?: *["']?([^"'\n]+)`)

// learnPrefixes takes in what names are to be made of. Errors quote what has more than one line.
func (s *symbols) learnPrefixes(body []byte) {
	for _, found := range generateName.FindAllSubmatch(body, -1) {
		s.prefix(string(found[1]))
	}
	object, _ := tree(string(body)).(map[string]any)
	meta, _ := object["metadata"].(map[string]any)
	if prefix, _ := meta["generateName"].(string); strings.Contains(prefix, "\n") {
		s.prefix(prefix)
		s.prefix(strings.Trim(strconv.Quote(prefix), `"`))
	}
}

// send sends a request, with this server's values for its symbols, and reads the answer.
func (v *server) send(ctx context.Context, s *symbols, r request) (*http.Response, []byte, error) {
	body := []byte(s.fill(r.body))
	s.learnPrefixes(body)
	req, err := http.NewRequestWithContext(ctx, r.method, v.url+s.fill(r.path), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", "differential/1.0")
	for _, line := range r.header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	short := body // upstream takes raw JSON that is written otherwise for a change, a patch's result for written otherwise
	if compact := new(bytes.Buffer); json.Compact(compact, body) == nil {
		short = compact.Bytes()
	}
	if media := req.Header.Get("Content-Type"); strings.HasSuffix(media, "json") {
		body = short
	} else if media == protobufType {
		if encoded, err := v.toProtobuf(short); err == nil {
			body = encoded // else it is sent as it is: servers must refuse it
		}
	}
	if len(body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read answer: %w", r.method, r.path, err)
	}
	return resp, got, nil
}

// ask sends a request and returns the answer with symbols for this server's values.
func (v *server) ask(ctx context.Context, s *symbols, r request) (answer, error) {
	if err := v.caches.before(ctx, v, s, r); err != nil {
		return answer{}, err
	}
	resp, got, err := v.send(ctx, s, r)
	if err != nil && strings.Contains(err.Error(), "INTERNAL_ERROR") { // how upstream's handlers end when they panic
		return answer{body: "the server broke off"}, nil
	}
	if err != nil {
		return answer{}, err
	}
	v.caches.after(ctx, r, resp.StatusCode)
	out := answer{code: resp.StatusCode, header: headerOf(s, resp.Header)}
	switch {
	case strings.HasPrefix(resp.Header.Get("Content-Type"), protobufType):
		out.body = v.renderProtobuf(s, got)
	case strings.Contains(r.path, "watch=") && resp.StatusCode == http.StatusOK:
		out.body = s.renderEvents(got)
	default:
		out.body = s.render(got)
	}
	return out, nil
}

// headerOf keeps the headers that clients act on.
func headerOf(s *symbols, h http.Header) []string {
	var out []string
	for _, name := range []string{"Content-Type", "Retry-After", "Location", "Www-Authenticate"} {
		if value := h.Get(name); value != "" {
			out = append(out, name+": "+value)
		}
	}
	warnings := slices.Clone(h["Warning"])
	for i, w := range warnings {
		warnings[i] = "Warning: " + s.message(w)
	}
	return append(out, warnings...)
}

func (v *server) toProtobuf(body []byte) ([]byte, error) {
	var meta runtime.TypeMeta
	if err := json.Unmarshal(body, &meta); err != nil {
		return nil, err
	}
	gvk := meta.GroupVersionKind()
	obj, err := v.scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, obj); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = protobuf.NewSerializer(v.scheme, v.scheme).Encode(obj, &out)
	return out.Bytes(), err
}

func (v *server) renderProtobuf(s *symbols, body []byte) string {
	obj, _, err := protobuf.NewSerializer(v.scheme, v.scheme).Decode(body, nil, nil)
	if err != nil {
		return "no protobuf: " + err.Error()
	}
	text, err := json.Marshal(obj)
	if err != nil {
		return "no object: " + err.Error()
	}
	return s.render(text)
}
