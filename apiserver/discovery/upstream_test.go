package discovery_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is listed is what upstream lists, in its order. The output names what differs: "-" we have not, "+" upstream has not.
// A whole version that upstream has not is one line.
func TestListsWhatUpstreamLists(t *testing.T) {
	url := serve(t).URL
	datadriven.RunTest(t, "testdata/upstream.txt", func(t *testing.T, d *datadriven.TestData) string {
		return differences(strings.Split(strings.TrimSpace(d.Input), "\n"), listed(t, url))
	})
}

// listed is every resource of every version, in order, one a line.
func listed(t *testing.T, url string) []string {
	t.Helper()
	var groups metav1.APIGroupList
	fetch(t, url+"/apis", &groups)
	paths := []string{"/api/v1"}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			paths = append(paths, "/apis/"+v.GroupVersion)
		}
	}
	var lines []string
	for _, path := range paths {
		var list metav1.APIResourceList
		fetch(t, url+path, &list)
		for _, r := range list.APIResources {
			scope := "cluster"
			if r.Namespaced {
				scope = "namespaced"
			}
			parts := []string{list.GroupVersion, r.Name, r.SingularName, r.Kind, r.Group, r.Version, scope, strings.Join(r.Verbs, ","),
				strings.Join(r.ShortNames, ","), strings.Join(r.Categories, ","), r.StorageVersionHash}
			for i := range parts {
				if parts[i] == "" {
					parts[i] = "-"
				}
			}
			lines = append(lines, strings.Join(parts, " "))
		}
	}
	return lines
}

func fetch(t *testing.T, url string, into any) {
	t.Helper()
	_, body := get(t, url, "application/json")
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%s: %v in %s", url, err, body)
	}
}

func differences(theirs, ours []string) string {
	var b strings.Builder
	versions := map[string]bool{}
	for _, line := range theirs {
		version, _, _ := strings.Cut(line, " ")
		versions[version] = true
		if !slices.Contains(ours, line) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	last := -1
	for _, line := range ours {
		at := slices.Index(theirs, line)
		version, _, _ := strings.Cut(line, " ")
		switch {
		case at < 0 && versions[version]:
			fmt.Fprintf(&b, "+ %s\n", line)
		case at < 0 && !strings.Contains(b.String(), "+ "+version+"\n"):
			fmt.Fprintf(&b, "+ %s\n", version)
		case at >= 0 && at < last:
			fmt.Fprintf(&b, "too late: %s\n", line)
		}
		last = max(last, at)
	}
	return b.String()
}
