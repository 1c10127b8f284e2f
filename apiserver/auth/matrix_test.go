package auth_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"proa/apiserver"
	"proa/apiserver/auth"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/kinds/resource"
	"proa/store"
	"proa/store/storetest"
)

// byHeader takes the user from a header.
type byHeader struct{}

func (byHeader) Authenticate(r *http.Request) (auth.User, bool, error) {
	u := auth.User{Name: r.Header.Get("X-User"), Groups: []string{auth.GroupAuthenticated}}
	if u.Name == "root" {
		u.Groups = append(u.Groups, auth.GroupMasters)
	}
	return u, true, nil
}

// matrix is a whole API server with one object of every kind in each of three places: namespace a, where ann may do everything;
// namespace b, where she may do nothing; and, for kinds without a namespace, the cluster.
type matrix struct {
	store   store.Store
	handler http.Handler
	hidden  []store.Key
}

const (
	shownMark  = "to-be-seen"
	hiddenMark = "not-to-be-seen"
)

func newMatrix(t *testing.T, table *kinds.Table) *matrix {
	m := &matrix{store: storetest.New(t, encode.Decoder(table))}
	server, err := apiserver.New(apiserver.Config{Store: m.store, Kinds: table, Scheme: kinds.NewScheme(),
		Authenticator: byHeader{}, Authorizer: auth.NewAccess(m.store)})
	if err != nil {
		t.Fatal(err)
	}
	m.handler = server.Handler()
	for _, row := range table.Rows() {
		if row.Virtual {
			continue
		}
		if row.Namespaced {
			m.put(t, row, "a", shownMark)
		}
		m.put(t, row, "b", hiddenMark)
	}
	all := []string{"*"}
	m.commit(t, "roles.rbac.authorization.k8s.io", &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "all"},
		Rules: []rbacv1.PolicyRule{{Verbs: all, APIGroups: all, Resources: all}, {Verbs: all, NonResourceURLs: all}}})
	m.commit(t, "rolebindings.rbac.authorization.k8s.io", &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "all"},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "all"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}})
	return m
}

func (m *matrix) put(t *testing.T, row *resource.Resource, namespace, mark string) {
	obj := row.New()
	obj.SetName("x")
	obj.SetLabels(map[string]string{"mark": mark})
	obj.SetUID("u")
	if row.Namespaced {
		obj.SetNamespace(namespace)
	}
	key := m.commit(t, row.Table(), obj)
	if mark == hiddenMark {
		m.hidden = append(m.hidden, key)
	}
}

func (m *matrix) commit(t *testing.T, table string, obj resource.Object) store.Key {
	t.Helper()
	data, err := encode.ToStore(obj)
	if err != nil {
		t.Fatal(err)
	}
	key := store.Key{Table: table, Namespace: obj.GetNamespace(), Name: obj.GetName()}
	if _, err := m.store.Commit(context.Background(), store.Op{Key: key, Data: data}); err != nil {
		t.Fatal(err)
	}
	return key
}

func (m *matrix) ask(user, method, target string) (int, string) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return 0, ""
	}
	r := httptest.NewRequest(method, "/", strings.NewReader(`{"metadata":{"name":"x","namespace":"b"}}`))
	r.URL, r.RequestURI = u, target
	r.Header.Set("X-User", user)
	r.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(body)
}

// spellings are ways to write a path that one part of a server could read differently from another.
func spellings(base, plural string) []string {
	object := base + "/namespaces/b/" + plural + "/x"
	return []string{
		base + "/" + plural,
		base + "/" + plural + "/",
		base + "/" + plural + "/x",
		base + "/" + plural + "/x/status",
		base + "/watch/" + plural + "?timeoutSeconds=1",
		base + "/namespaces/b/" + plural,
		base + "/namespaces/b/" + plural + "/",
		object,
		object + "/",
		object + "/status",
		object + "/scale",
		base + "/watch/namespaces/b/" + plural + "/x?timeoutSeconds=1",
		base + "/namespaces/%62/" + plural + "/x",
		base + "/namespaces/a/../b/" + plural + "/x",
		base + "/namespaces/a/..%2Fb/" + plural + "/x",
		base + "/namespaces/a%2F..%2Fb/" + plural + "/x",
		base + "/namespaces/a/%2e%2e/b/" + plural + "/x",
		base + "/namespaces/a/" + plural + "/../../b/" + plural + "/x",
		base + "/namespaces/a/" + plural + "/..%2F..%2Fb%2F" + plural + "%2Fx",
		base + "/namespaces/a/" + plural + "/%2e%2e%2f%2e%2e%2fb%2f" + plural + "%2fx",
		base + "/namespaces/a//../b/" + plural + "/x",
		base + "/namespaces//" + plural + "/x",
		base + "//namespaces/b/" + plural + "/x",
		base + "/./namespaces/b/" + plural + "/x",
		base + "/namespaces/a/namespaces/b/" + plural + "/x",
		base + "/namespaces/b%00/" + plural + "/x",
		base + "/namespaces/B/" + plural + "/x",
		base + "/namespaces/a/" + plural + "?namespace=b",
		base + "/namespaces/a/" + plural + "?fieldSelector=metadata.namespace%3Db",
	}
}

// Whatever the verb, the kind and the spelling of the path, ann reaches nothing outside her namespace: what authorization reads in
// a path is what the verbs serve (CVE-2019-11247, CVE-2022-3162).
func TestNothingOutsideTheNamespace(t *testing.T) {
	table := kinds.Builtin()
	for _, row := range table.Rows() {
		if row.Virtual {
			continue
		}
		t.Run(row.Table(), func(t *testing.T) {
			newMatrix(t, table).check(t, row) // a new one for each, for ann may delete what is hers
		})
	}
}

func (m *matrix) check(t *testing.T, row *resource.Resource) {
	base := "/apis/" + row.Group + "/" + row.Version
	if row.Group == "" {
		base = "/api/" + row.Version
	}
	targets := spellings(base, row.Name)
	if !row.Namespaced { // a cluster's object through the path of a namespace
		targets = append(targets, base+"/namespaces/a/"+row.Name, base+"/namespaces/a/"+row.Name+"/x", base+"/namespaces/a/"+row.Name+"/x/status")
	} else if code, body := m.ask("ann", "GET", base+"/namespaces/a/"+row.Name+"/x"); code != http.StatusOK || !strings.Contains(body, shownMark) {
		t.Errorf("ann cannot read what is hers, so the test proves nothing: %d %s", code, body)
	}
	if code, body := m.ask("root", "GET", base+"/"+row.Name); code != http.StatusOK || !strings.Contains(body, hiddenMark) {
		t.Errorf("root does not see what is hidden, so the test proves nothing: %d", code)
	}
	for _, target := range targets {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
			if code, body := m.ask("ann", method, target); strings.Contains(body, hiddenMark) {
				t.Errorf("%s %s shows what is hidden: %d", method, target, code)
			}
		}
	}
	snap := m.store.Snapshot()
	for _, key := range m.hidden {
		if item := snap.Get(key); item == nil || item.Revision != item.Created {
			t.Errorf("%v was changed", key)
		}
	}
}
