package auth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"k8s.io/apimachinery/pkg/fields"

	"proa/apiserver/auth"
	"proa/kinds/rbac"
	"proa/kinds/resource"
)

// TestAccess runs the scripts in testdata/access. Commands:
//
//	put / remove      objects in YAML, separated by ---
//	policy            puts the roles that a cluster starts with
//	ask               one question a line: VERB RESOURCE[.GROUP][/SUB] [NAMESPACE/]NAME or VERB /path
//	rules             what RBAC says that the user holds
//	create / update / delete   asks the admission checks about a write; the object is in YAML
//
// The arguments user=NAME and group=(G,...) say who asks.
func TestAccess(t *testing.T) {
	datadriven.Walk(t, "testdata/access", func(t *testing.T, path string) {
		s := newState(t)
		access := auth.NewAccess(s)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "put", "remove":
				for _, text := range strings.Split(d.Input, "\n---\n") {
					if obj := s.parse(text); d.Cmd == "put" {
						s.put(obj)
					} else {
						s.remove(obj)
					}
				}
				return ""
			case "policy":
				p := rbac.Bootstrap()
				for _, o := range p.ClusterRoles {
					s.put(o)
				}
				for _, o := range p.ClusterRoleBindings {
					s.put(o)
				}
				return fmt.Sprintf("%v", len(p.ClusterRoles) > 50)
			case "ask":
				return ask(t, access, d)
			case "rules":
				rules, err := access.RBAC().Rules(user(d), namespace(d))
				var out strings.Builder
				for _, r := range rules {
					fmt.Fprintln(&out, r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs)
				}
				if err != nil {
					fmt.Fprintln(&out, "error:", err)
				}
				return out.String()
			case "create", "update", "delete":
				return write(s, access, d)
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

func user(d *datadriven.TestData) auth.User {
	var u auth.User
	if d.HasArg("user") {
		arg, _ := d.Arg("user")
		u.Name = strings.Join(arg.Vals, ",")
	}
	if arg, ok := d.Arg("group"); ok {
		u.Groups = arg.Vals
	}
	if name, ok := strings.CutPrefix(u.Name, auth.NodeUserPrefix); ok && name != "" && u.Groups == nil {
		u.Groups = []string{auth.GroupNodes, auth.GroupAuthenticated}
	}
	return u
}

func namespace(d *datadriven.TestData) string {
	if arg, ok := d.Arg("namespace"); ok {
		return arg.Vals[0]
	}
	return ""
}

func ask(t *testing.T, access *auth.Access, d *datadriven.TestData) string {
	var out strings.Builder
	for _, line := range strings.Split(d.Input, "\n") {
		allowed, reason, err := access.Authorize(context.Background(), question(user(d), line))
		word := "no "
		if allowed {
			word = "yes"
		}
		fmt.Fprintf(&out, "%s  %s", word, line)
		if reason != "" {
			fmt.Fprintf(&out, "  (%s)", strings.ReplaceAll(reason, "\n", "; "))
		}
		if err != nil {
			fmt.Fprintf(&out, "  error: %v", err)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// question reads "get pods/log ns/name field=value".
func question(u auth.User, line string) auth.Attributes {
	words := strings.Fields(line)
	a := auth.Attributes{User: u, Verb: words[0]}
	if strings.HasPrefix(words[1], "/") {
		a.Path = words[1]
		return a
	}
	a.IsResourceRequest = true
	plural, sub, _ := strings.Cut(words[1], "/")
	a.Subresource = sub
	a.Resource, a.APIGroup, _ = strings.Cut(plural, ".")
	for _, word := range words[2:] {
		if key, value, ok := strings.Cut(word, "="); ok {
			a.FieldSelector = fields.OneTermEqualSelector(key, value)
			continue
		}
		if ns, name, ok := strings.Cut(word, "/"); ok {
			a.Namespace, a.Name = ns, name
		} else {
			a.Name = word
		}
	}
	return a
}

func write(s *state, access *auth.Access, d *datadriven.TestData) string {
	obj := s.parse(d.Input)
	row := s.table.Of(obj)
	w := auth.Write{User: user(d), Verb: d.Cmd, Group: row.Group, Resource: row.Name, Namespace: obj.GetNamespace(), Snapshot: s.Snapshot()}
	if arg, ok := d.Arg("sub"); ok {
		w.Subresource = arg.Vals[0]
	}
	if d.Cmd != "delete" {
		w.Object = obj
	}
	if d.Cmd != "create" {
		w.Name = obj.GetName()
		if item := w.Snapshot.Get(s.key(obj)); item != nil {
			w.Old = item.Value().(resource.Object)
		}
	}
	if err := access.Restrict(context.Background(), w); err != nil {
		return err.Error()
	}
	if err := access.CheckEscalation(context.Background(), w); err != nil {
		return err.Error()
	}
	return "ok"
}
