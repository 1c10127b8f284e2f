package static

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"proa/client"
	"proa/client/fake"
	"proa/kinds"
	"proa/kinds/core"
	"proa/node/pod"
)

// TestManifests plays testdata/manifest.txt: "manifest FILE" prints the pods of a file, or what is wrong with it.
func TestManifests(t *testing.T) {
	datadriven.RunTest(t, "testdata/manifest.txt", func(t *testing.T, d *datadriven.TestData) string {
		pods, err := parse(d.CmdArgs[0].Key, []byte(d.Input), "node1")
		if err != nil {
			return err.Error() + "\n"
		}
		var out strings.Builder
		for _, p := range pods {
			text, err := yaml.Marshal(p.ObjectMeta)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			fmt.Fprintf(&out, "%snode %s, tolerates %v\n", text, p.Spec.NodeName, p.Spec.Tolerations)
		}
		return out.String()
	})
}

// TestPlan plays testdata/plan.txt: lines "own NAME UID" and "mirror NAME UID [deleting]".
func TestPlan(t *testing.T) {
	datadriven.RunTest(t, "testdata/plan.txt", func(t *testing.T, d *datadriven.TestData) string {
		var own, mirrors []*v1.Pod
		for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
			w := strings.Fields(line)
			p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: w[1]}}
			p.Annotations = map[string]string{}
			switch w[0] {
			case "own":
				p.UID = types.UID(w[2])
				own = append(own, p)
			case "mirror":
				p.Annotations[v1.MirrorPodAnnotationKey] = w[2]
				if len(w) > 3 {
					p.DeletionTimestamp = &metav1.Time{}
				}
				mirrors = append(mirrors, p)
			}
		}
		remove, create := plan(own, mirrors)
		var out strings.Builder
		for _, p := range remove {
			fmt.Fprintf(&out, "remove %s of %s\n", p.Name, pod.MirrorOf(p))
		}
		for _, p := range create {
			fmt.Fprintf(&out, "create %s of %s\n", p.Name, p.UID)
		}
		return out.String()
	})
}

// runner is told which pods there are.
type runner chan []string

func (r runner) SetStatic(pods []*v1.Pod) {
	var names []string
	for _, p := range pods {
		names = append(names, p.Name+"/"+p.Spec.Containers[0].Image)
	}
	r <- names
}

const patience = 30 * time.Second

func (r runner) wait(t *testing.T, want ...string) {
	t.Helper()
	select {
	case got := <-r:
		if !slices.Equal(got, want) {
			t.Fatalf("pods are %v, want %v", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("nothing was said, want %v", want)
	}
}

func manifestOf(name, image string) []byte {
	return fmt.Appendf(nil, "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: c, image: %q}]}\n", name, image)
}

// TestFolder changes files under a running source, and looks at what runs and at what the API shows.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "manifests")
	api := fake.New(fake.Config{Kinds: kinds.New(core.Pod(), core.Node())}).As("system:node:n1")
	runs := make(runner, 1)
	s := New(Config{Dir: dir, NodeName: "n1", Client: api, Runner: runs, Log: slog.New(slog.DiscardHandler)})
	s.Load() // a folder that is not there holds nothing
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, content []byte) {
		t.Helper()
		do(os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	do(os.Mkdir(dir, 0o755))
	write("web.yaml", manifestOf("web", "web:1"))
	write(".web.yaml.swp", manifestOf("hidden", "web:1"))
	s.Load()
	runs.wait(t, "web-n1/web:1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); do(<-done) }()

	// Without a Node nothing can own a mirror; with one it is made.
	_, err := api.Create(ctx, client.Ref{Table: "nodes"}, "", &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, metav1.CreateOptions{})
	do(err)
	first := mirror(t, api, "web-n1", func(p *v1.Pod) bool { return true })
	if owner := first.OwnerReferences[0]; owner.Kind != "Node" || owner.Name != "n1" || owner.UID == "" || first.Annotations[pod.AnnotationSource] != "file" {
		t.Errorf("mirror is %+v", first.ObjectMeta)
	}
	// Deleted, it comes back.
	zero := int64(0)
	do(api.Delete(ctx, client.RefOf("pods", first), metav1.DeleteOptions{GracePeriodSeconds: &zero}))
	mirror(t, api, "web-n1", func(p *v1.Pod) bool { return p.UID != first.UID && pod.MirrorOf(p) == pod.MirrorOf(first) })

	// A change makes another pod; what makes no sense changes nothing.
	write("web.yaml", manifestOf("web", "web:2"))
	runs.wait(t, "web-n1/web:2")
	mirror(t, api, "web-n1", func(p *v1.Pod) bool { return pod.MirrorOf(p) != pod.MirrorOf(first) })
	write("web.yaml", []byte("kind: ["))
	write("more.json", []byte(`{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}]}`))
	runs.wait(t, "a-n1/a:1", "web-n1/web:2")
	do(os.Remove(filepath.Join(dir, "web.yaml")))
	runs.wait(t, "a-n1/a:1")
	mirror(t, api, "a-n1", func(*v1.Pod) bool { return true })
	mirror(t, api, "web-n1", nil)
}

// mirror waits for a pod of the API; with ok nil for its absence.
func mirror(t *testing.T, api client.Client, name string, ok func(*v1.Pod) bool) *v1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	view := api.View()
	watcher, err := api.Watch("pods", view)
	for err == nil {
		p, found := client.Get[*v1.Pod](api.View(), "pods", "default", name)
		if found == (ok != nil) && (!found || ok(p)) {
			return p
		}
		_, err = watcher.Next(ctx)
	}
	t.Fatalf("wait for pod %s: %v", name, err)
	return nil
}
