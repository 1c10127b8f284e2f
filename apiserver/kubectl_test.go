package apiserver_test

import (
	"os/exec"
	"strings"
	"testing"
)

// kubectl runs the real client against the place, if the machine has one.
func (p *place) kubectl(stdin string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command("kubectl", append([]string{"--server", p.http.URL, "--cache-dir", p.t.TempDir()}, args...)...)
	cmd.Env = append(cmd.Environ(), "KUBECONFIG=/dev/null")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Errorf("kubectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestKubectl(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("there is no kubectl on PATH")
	}
	p := newPlace(t)
	const manifest = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default"},"data":{"k":"v"}}`
	for _, step := range []struct {
		want  string
		stdin string
		args  string
	}{
		{"configmap/a created", manifest, "apply --validate=false -f -"},
		{"configmap/a unchanged", manifest, "apply --validate=false -f -"},
		{"configmap/a configured", strings.Replace(manifest, `"v"`, `"w"`, 1), "apply --validate=false -f -"},
		{"a      1      ", "", "get cm"},
		{"k: w", "", "get cm a -o yaml"},
		{"configmap/a labeled", "", "label cm a app=web"},
		{"configmap/a serverside-applied", strings.Replace(manifest, `"v"`, `"w"`, 1), "apply --validate=false --server-side --force-conflicts -f -"},
		{"app=web", "", "get cm -A --show-labels"},
		{"configmap/a condition met", "", "wait cm/a --for=jsonpath={.data.k}=w --timeout=10s"},
		{"Name:         a", "", "describe cm a"},
		{`configmap "a" deleted`, "", "delete cm a"},
		{"No resources found", "", "get cm"},
	} {
		if out := p.kubectl(step.stdin, strings.Fields(step.args)...); !strings.Contains(out, step.want) {
			t.Errorf("kubectl %s: want %q, got:\n%s", step.args, step.want, out)
		}
	}
}
