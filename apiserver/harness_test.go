package apiserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"proa/apiserver"
	"proa/apiserver/admit"
	"proa/apiserver/auth"
	"proa/apiserver/discovery"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
	"proa/store/storetest"
)

// place is a server over a store in memory, with a clock that stands still.
type place struct {
	t      testing.TB
	kinds  *kinds.Table
	store  store.Store
	server *apiserver.Server
	clock  *clocktesting.FakeClock
	http   *httptest.Server
}

// asUser authenticates by a header, and allows everybody everything but "nobody".
type asUser struct{}

func (asUser) Authenticate(r *http.Request) (auth.User, bool, error) {
	name := r.Header.Get("X-User")
	if strings.HasPrefix(r.UserAgent(), "kubectl") {
		name = "kubectl"
	}
	if name == "bad" {
		return auth.User{}, false, fmt.Errorf("bad credential")
	}
	user := auth.User{Name: name, Groups: []string{auth.GroupAuthenticated}}
	if name == "legacy" || name == "legacy-made" {
		user.Shown = &auth.SecretToken{Secret: "s", Made: name == "legacy-made"}
	}
	return user, name != "", nil
}

func (asUser) Authorize(_ context.Context, a auth.Attributes) (bool, string, error) {
	return a.User.Name != "nobody" && a.User.Name != auth.Anonymous, "", nil
}

// echo answers every review with itself.
func echo(_ context.Context, _ auth.User, _ string, obj resource.Object) (resource.Object, error) {
	return obj, nil
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newPlace(t testing.TB, steps ...admit.Step) *place {
	return newPlaceWith(t, func(store.Store) []admit.Step { return steps })
}

// newPlaceWith is for steps that look into the place's store.
func newPlaceWith(t testing.TB, stepsOf func(store.Store) []admit.Step) *place {
	return newChanged(t, func(c *apiserver.Config) { c.Admission = stepsOf(c.Store) })
}

// newChanged is newPlace with a word about what else the server works with.
func newChanged(t testing.TB, change func(*apiserver.Config)) *place {
	table := kinds.Builtin()
	p := &place{t: t, kinds: table, clock: clocktesting.NewFakeClock(epoch), store: storetest.New(t, encode.Decoder(table))}
	scheme := kinds.NewScheme()
	documents := discovery.New(discovery.Config{Kinds: table, Scheme: scheme})
	config := apiserver.Config{Store: p.store, Kinds: table, Scheme: scheme,
		Authenticator: asUser{}, Authorizer: asUser{}, Clock: p.clock, Answer: echo,
		Paths: []func(http.ResponseWriter, *http.Request) bool{documents.Serve}}
	change(&config)
	server, err := apiserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	p.server = server
	p.http = httptest.NewServer(server.Handler())
	t.Cleanup(p.http.Close)
	return p
}

// do sends a request written as text: a line with method and path, headers, an empty line, the body.
func (p *place) do(text string) *http.Response {
	p.t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := bufio.NewReader(strings.NewReader(head + "\n\n"))
	first, _ := lines.ReadString('\n')
	method, path, ok := strings.Cut(strings.TrimSpace(first), " ")
	if !ok {
		p.t.Fatalf("request line %q", first)
	}
	header, err := textproto.NewReader(lines).ReadMIMEHeader()
	if err != nil {
		p.t.Fatal(err)
	}
	if size := header.Get("X-Grow"); size != "" { // a body too large to write down
		var n int
		_, _ = fmt.Sscan(size, &n)
		body = strings.Replace(body, "GROW", strings.Repeat("x", n), 1)
		header.Del("X-Grow")
	}
	req, err := http.NewRequest(method, p.http.URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header = http.Header(header)
	if req.Header.Get("X-User") == "" {
		req.Header.Set("X-User", "admin")
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "script/1.0")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

var uids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// show prints a response for a script: the code, the warnings, the body as YAML. managedFields are shown on request,
// for they are long.
func (p *place) show(resp *http.Response, managed bool) string {
	p.t.Helper()
	var out strings.Builder
	fmt.Fprintln(&out, resp.StatusCode)
	for _, w := range resp.Header["Warning"] {
		fmt.Fprintln(&out, "Warning:", w)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		out.Write(bytes.TrimSpace(body))
		return uids.ReplaceAllString(out.String()+"\n", "UID")
	}
	if !managed {
		dropManaged(value)
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	out.Write(text)
	return uids.ReplaceAllString(out.String(), "UID")
}

func dropManaged(value any) {
	switch v := value.(type) {
	case map[string]any:
		delete(v, "managedFields")
		for _, child := range v {
			dropManaged(child)
		}
	case []any:
		for _, child := range v {
			dropManaged(child)
		}
	}
}
