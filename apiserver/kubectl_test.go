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
	if err != nil && args[0] != "diff" {
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
		{"configmap/b created", strings.Replace(manifest, `"a"`, `"b"`, 1), "create -f -"},
		{"FIELDS:", "", "explain configmap"},
		{"configmaps", "", "api-resources"},
		{"+  k: x", strings.Replace(manifest, `"v"`, `"x"`, 1), "diff -f -"},
		{"configmap/a replaced", strings.Replace(manifest, `"v"`, `"w"`, 1), "replace -f -"},
		{"configmap/a annotated", "", "annotate cm a k=v"},
		{"deployment.apps/web created", "", "create deployment web --image=busybox"},
		{"deployment.apps/web scaled", "", "scale deployment web --replicas=3"},
		{"deployment.apps/web image updated", "", "set image deployment/web busybox=busybox:2"},
		{"deployment.apps/web restarted", "", "rollout restart deployment web"},
		{"0/3", "", "get deploy -o wide"},
		{`configmap "a" deleted`, "", "delete cm a"},
		{`configmap "b" deleted`, "", "delete cm --all"},
		{"No resources found", "", "get cm"},
	} {
		if out := p.kubectl(step.stdin, strings.Fields(step.args)...); !strings.Contains(out, step.want) {
			t.Errorf("kubectl %s: want %q, got:\n%s", step.args, step.want, out)
		}
	}
}
