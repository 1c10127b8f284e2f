// Package arch holds the house to its plan: which folder may import which, each with its reason.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "proa/"

// rule says what the packages of a folder may import of this module. The first rule whose folder matches counts. "X/..."
// stands for a folder and all below it; a package may always import its own folder's tree.
type rule struct {
	folder string
	may    []string
	why    string
}

var rules = []rule{
	{"cmd/...", []string{"daemon", "node/image", "ops/..."}, "the program turns flags into a daemon.Config; what the daemon does is no business of it"},
	{"daemon", []string{"..."}, "the only assembler"},
	{"internal/...", nil, "small leaves without domain words"},
	{"kinds/resource", nil, "what a row is, is below every kind"},
	{"kinds/...", []string{"kinds/...", "internal/..."}, "what things are depends on nothing that serves or runs them"},
	{"store/...", []string{"store/...", "internal/..."}, "the store keeps bytes and opaque values and knows no kinds"},
	{"apiserver", []string{"kinds/...", "store", "internal/...", "client"}, "implements client.Client for callers in the process; imports its interface only"},
	{"apiserver/...", []string{"kinds/...", "store", "internal/...", "apiserver/..."}, "how objects are served knows neither who acts on them nor where they run"},
	{"client/...", []string{"client", "kinds/...", "internal/..."}, "how everyone talks; the in-process implementation is handed in"},
	{"reconcile/...", []string{"reconcile/...", "kinds/...", "client/...", "internal/..."}, "the host knows clients, not servers"},
	{"controllers", []string{"controllers/...", "kinds/...", "client", "reconcile/..."}, "the list of all controllers"},
	{"controllers/...", []string{"kinds/...", "client", "reconcile/...", "internal/..."}, "controllers meet in the API, never in each other; what two of them decide alike, such as how many pods a ReplicaSet and a ReplicationController want, is a package below reconcile"},
	{"scheduler/loop", []string{"scheduler", "scheduler/filter", "scheduler/state", "kinds/...", "client", "reconcile", "internal/..."}, "the part of the scheduler that acts"},
	{"scheduler/...", []string{"scheduler/...", "kinds/...", "internal/..."}, "pure: no client, no clock"},
	{"node/pod", []string{"kinds/...", "internal/..."}, "pure: no client, no runtime"},
	{"node/...", []string{"kinds/...", "client", "node/...", "internal/..."}, "the agent talks to the API through its client alone"},
	{"network/ruleset", nil, "a value that both sides of the data plane share"},
	{"network/nft", []string{"network/ruleset", "internal/..."}, "the kernel's side knows no kinds"},
	{"network/proxy", []string{"network/ruleset", "kinds/...", "internal/..."}, "pure: objects to rules"},
	{"network/podnet/plugin/...", []string{"network/podnet/plugin/..."}, "started for every pod: it stays small"},
	{"network/...", []string{"network/...", "kinds/...", "client", "internal/..."}, "the data plane talks to the API through its client alone"},
	{"observe/...", []string{"observe/...", "kinds/...", "client", "internal/..."}, "what is seen comes through the API and from nodes that are asked"},
	{"ops/...", []string{"kinds/...", "client", "internal/..."}, "day 1 and day 2 build on the API, not on its server"},
	{"examples/...", nil, "what a user would write needs nothing of ours"},
	{"test/...", []string{"..."}, "tests may look at everything"},
}

// owners names the one folder that may import a heavy module.
var owners = []struct{ module, folder, why string }{
	{"github.com/cockroachdb/pebble", "store/...", "the log is the store's"},
	{"github.com/google/nftables", "network/nft", "one place talks to the kernel's packet filter"},
	{"github.com/vishvananda/netlink", "network/...", "one place talks to the kernel's links and routes"},
	{"github.com/miekg/dns", "network/dns", "one place parses DNS"},
	{"github.com/robfig/cron", "kinds/batch", "one place reads schedules"},
	{"github.com/godbus/dbus", "node/shutdown", "one place talks to systemd"},
	{"github.com/opencontainers/cgroups", "node/cgroup", "one place writes cgroups"},
	{"github.com/google/go-containerregistry", "node/image", "one place makes images"},
	{"github.com/containerd/containerd", "node/image/share", "one place knows how containerd keeps images; all else is said over the CRI"},
	{"github.com/go-jose/go-jose", "apiserver/auth/...", "one place signs and checks tokens"},
	{"github.com/coreos/go-oidc", "apiserver/auth/oidc", "one place checks tokens of other issuers"},
	{"k8s.io/dynamic-resource-allocation", "kinds/devices", "one place knows what may be said of devices"},
	{"k8s.io/kms", "apiserver/seal", "one place talks to key management plug-ins"},
	{"golang.org/x/crypto", "apiserver/seal", "one place encrypts what is stored"},
	{"k8s.io/pod-security-admission", "apiserver/admit", "one place knows the levels of pod security"},
	{"github.com/prometheus", "observe/metrics", "one place speaks Prometheus"},
	{"k8s.io/kubectl", "cmd/...", "kubectl is a verb of the program"},
	{"k8s.io/client-go/kubernetes", "test/...", "the typed clients of all groups are bigger than the product"},
	{"k8s.io/client-go/kubernetes/scheme", "test/...", "it knows all kinds of upstream; ours are in kinds"},
	{"k8s.io/client-go/kubernetes/scheme", "apiserver/encode", "what is wrong with a body is worded by whether upstream knows its kind; kubectl brings the list anyway"},
	{"k8s.io/kubernetes", "", "upstream itself is for test modules only"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func within(folder, pattern string) bool {
	if pattern == "..." {
		return true
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return folder == root || strings.HasPrefix(folder, root+"/")
	}
	return folder == pattern
}

func ruleOf(folder string) *rule {
	for i := range rules {
		if within(folder, rules[i].folder) {
			return &rules[i]
		}
	}
	return nil
}

func allowed(r *rule, from, to string) bool {
	if to == from || strings.HasPrefix(to, from+"/") {
		return true
	}
	for _, pattern := range r.may {
		if within(to, pattern) {
			return true
		}
	}
	return false
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		r := ruleOf(from)
		if r == nil {
			t.Errorf("%s: no rule says what it may import; add one with its reason", from)
			continue
		}
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, module); ours && !allowed(r, from, to) {
				t.Errorf("%s imports %s, but: %s", from, to, r.why)
			}
		}
	}
}

func TestHeavyModulesHaveOneOwner(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			if why := refused(from, i); why != "" {
				t.Errorf("%s imports %s, but: %s", from, i, why)
			}
		}
	}
}

// refused says why a package may not import another; of several rows, those of the longest path count, and one that allows it
// is enough.
func refused(from, imported string) (why string) {
	longest := 0
	for _, o := range owners {
		if imported != o.module && !strings.HasPrefix(imported, o.module+"/") || len(o.module) < longest {
			continue
		}
		if len(o.module) > longest {
			longest, why = len(o.module), o.why
		} else if why == "" {
			continue
		}
		if within(from, o.folder) || within(from, "internal/nstest") {
			why = ""
		}
	}
	return why
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{if and .GoFiles (not .Doc)}}{{.ImportPath}}{{end}}", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, p := range strings.Fields(string(out)) {
		t.Errorf("%s: its package doc does not say what it decides, what it owns, and who calls it", p)
	}
}
