package discovery_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"proa/apiserver"
	"proa/apiserver/auth"
	"proa/apiserver/discovery"
	"proa/apiserver/encode"
	"proa/kinds"
	"proa/ops/pki"
	"proa/store/storetest"
)

// cluster is an API server with real certificates, to be asked by the kubectl program.
func cluster(t *testing.T) (kubeconfig string) {
	t.Helper()
	table, scheme := kinds.Builtin(), kinds.NewScheme()
	db := storetest.New(t, encode.Decoder(table))
	keys, err := pki.Open(pki.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.NewTokens(auth.TokensConfig{Key: keys.TokenKey(), Source: db})
	if err != nil {
		t.Fatal(err)
	}
	access := auth.NewAccess(db)
	reviews := &auth.Reviews{Access: access, Tokens: tokens}
	documents := discovery.New(discovery.Config{Kinds: table, Scheme: scheme, Version: discovery.VersionInfo("", "")})
	server, err := apiserver.New(apiserver.Config{Store: db, Kinds: table, Scheme: scheme,
		Authenticator: auth.First(auth.NewCertificates(keys.CAPool(), nil), tokens), Authorizer: access,
		Answer: reviews.Answer,
		Paths:  []func(http.ResponseWriter, *http.Request) bool{documents.Serve}})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(server.Handler())
	listener.Listener = tls.NewListener(listener.Listener, keys.ServerTLS())
	listener.Start()
	t.Cleanup(listener.Close)
	kubeconfig = filepath.Join(t.TempDir(), "config")
	if err := keys.WriteKubeconfig(kubeconfig, "https://"+listener.Listener.Addr().String(), keys.Admin()); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// The kubectl program itself, when it is on PATH, finds its way by discovery and schemas alone.
func TestKubectl(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is not on PATH")
	}
	kubeconfig := cluster(t)
	kubectl := func(stdin string, args ...string) string {
		cmd := exec.Command("kubectl", append([]string{"--kubeconfig", kubeconfig, "--cache-dir", filepath.Dir(kubeconfig)}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	}
	deployment := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: one, image: a, ports: [{containerPort: 80}]}, {name: two, image: b}]}
`
	changed := strings.Replace(strings.Replace(deployment, "replicas: 1", "replicas: 2", 1), ", {name: two, image: b}", "", 1)
	for _, step := range []struct {
		stdin string
		args  string
		want  []string
	}{
		{"", "version", []string{"Server Version: v1.36.3"}},
		{"", "api-resources --cached=false", []string{"deployments", "selfsubjectrulesreviews"}},
		{"", "explain deployments.spec.strategy", []string{"FIELD: strategy <DeploymentStrategy>", "rollingUpdate\t<RollingUpdateDeployment>"}},
		{"", "explain pods --recursive", []string{"containerPort\t<integer> -required-"}},
		{deployment, "apply -f -", []string{"deployment.apps/web created"}},
		{deployment, "apply -f -", []string{"deployment.apps/web unchanged"}},
		{changed, "diff -f -", []string{"-  replicas: 1", "+  replicas: 2", "-      - image: b"}},
		{changed, "apply -f -", []string{"deployment.apps/web configured"}},
		{"", "get deployment web -n default -o jsonpath={.spec.replicas},{.spec.template.spec.containers[*].name}", []string{"2,one"}},
		{changed, "apply --server-side --force-conflicts -f -", []string{"deployment.apps/web serverside-applied"}},
		{strings.Replace(deployment, "replicas", "replicass", 1), "create --validate=strict -f -", []string{`unknown field "spec.replicass"`}},
		{deployment, "create --dry-run=server -f -", []string{`deployments.apps "web" already exists`}},
		{"", "auth can-i create pods", []string{"yes"}},
		{"", "auth whoami", []string{"kubernetes-admin", "system:masters"}},
		{"", "get --raw /openapi/v3/apis/apps/v1", []string{"io.k8s.api.apps.v1.Deployment"}},
	} {
		out := kubectl(step.stdin, strings.Fields(step.args)...)
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("kubectl %s lacks %q:\n%s", step.args, want, out)
			}
		}
	}
}
