package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"proa/apiserver/auth"
)

// TestPolicy plays testdata/policy. Commands:
//
//	policy    reads a policy file; prints what is wrong with it, or ok
//	requests  what is kept of each: USER[,GROUP...] VERB RESOURCE[.GROUP[/SUB]] [NAMESPACE[/NAME]], or a path
func TestPolicy(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var policy *auditv1.Policy
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "policy":
				name := filepath.Join(t.TempDir(), "policy.yaml")
				if err := os.WriteFile(name, []byte(d.Input), 0o600); err != nil {
					t.Fatal(err)
				}
				p, err := LoadPolicy(name)
				if err != nil {
					return strings.ReplaceAll(err.Error(), name, "FILE") + "\n"
				}
				policy = p
				return "ok\n"
			case "requests":
				var out strings.Builder
				for line := range strings.Lines(d.Input) {
					line = strings.TrimSpace(line)
					k := decide(policy, attributes(line))
					fmt.Fprintf(&out, "%s: %s", line, k.level)
					if len(k.omit) > 0 {
						fmt.Fprintf(&out, ", without %v", k.omit)
					}
					if k.omitOwners {
						out.WriteString(", without managedFields")
					}
					out.WriteString("\n")
				}
				return out.String()
			}
			t.Fatalf("no command %q", d.Cmd)
			return ""
		})
	})
}

func attributes(line string) *auth.Attributes {
	words := strings.Fields(line + " ")
	names := strings.Split(words[0], ",")
	a := &auth.Attributes{User: auth.User{Name: names[0], Groups: names[1:]}, Verb: words[1], Path: words[2]}
	if !strings.HasPrefix(words[2], "/") {
		a.IsResourceRequest = true
		resource, sub, _ := strings.Cut(words[2], "/")
		a.Resource, a.APIGroup, _ = strings.Cut(resource, ".")
		a.Subresource = sub
	}
	if len(words) > 3 {
		a.Namespace, a.Name, _ = strings.Cut(words[3], "/")
	}
	return a
}
