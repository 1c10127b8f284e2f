package cri_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"proa/node/cri"
)

// source holds a config map "settings" and a secret "keys".
type source struct{}

func (source) ConfigMap(_, name string) (*v1.ConfigMap, error) {
	if name != "settings" {
		return nil, apierrors.NewNotFound(v1.Resource("configmap"), name)
	}
	return &v1.ConfigMap{Data: map[string]string{"color": "blue"}}, nil
}

func (source) Secret(_, name string) (*v1.Secret, error) {
	if name != "keys" {
		return nil, errors.New("the API is away")
	}
	return &v1.Secret{Data: map[string][]byte{"pin": []byte("1234")}}, nil
}

func (source) Services(string) []*v1.Service { return nil }

// TestConfig plays testdata/config.txt: a pod's spec goes in, what the runtime is told comes out.
func TestConfig(t *testing.T) {
	settings := &cri.Settings{
		NodeName: "n", HostIPs: []string{"192.0.2.1"}, LogRoot: "/logs", PodRoot: t.TempDir(), SeccompRoot: "/seccomp",
		ClusterDNS: []string{"10.96.0.10"}, ClusterDomain: "cluster.local", MemoryCapacity: 8 << 30,
	}
	datadriven.RunTest(t, "testdata/config.txt", func(t *testing.T, d *datadriven.TestData) string {
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u"}, Spec: v1.PodSpec{DNSPolicy: v1.DNSClusterFirst}}
		if err := yaml.UnmarshalStrict([]byte(d.Input), &p.Spec); err != nil {
			d.Fatalf(t, "%v", err)
		}
		switch d.Cmd {
		case "sandbox":
			config, err := settings.SandboxConfig(p, 0)
			if err != nil {
				return err.Error() + "\n"
			}
			linux := config.Linux
			return lines("hostname", config.Hostname, "dns", config.DnsConfig, "ports", config.PortMappings, "namespaces", linux.SecurityContext.NamespaceOptions,
				"sysctls", linux.Sysctls, "groups", linux.SecurityContext.SupplementalGroups)
		case "env":
			env, err := settings.Environment(source{}, p, &p.Spec.Containers[0], []string{"10.0.0.9"})
			if err != nil {
				return err.Error() + "\n"
			}
			var b strings.Builder
			for _, v := range env {
				fmt.Fprintf(&b, "%s=%s\n", v.Name, v.Value)
			}
			return b.String()
		case "resources":
			r := settings.ContainerResources(p, &p.Spec.Containers[0])
			return fmt.Sprintf("shares %d quota %d memory %d oom %d\n", r.CpuShares, r.CpuQuota, r.MemoryLimitInBytes, r.OomScoreAdj)
		}
		d.Fatalf(t, "no command %s", d.Cmd)
		return ""
	})
}

// lines prints names and values that say something.
func lines(pairs ...any) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		text, err := json.Marshal(pairs[i+1])
		if err != nil {
			text = []byte(err.Error())
		}
		if s := string(text); s != "null" && s != "{}" && s != `""` {
			fmt.Fprintf(&b, "%s: %s\n", pairs[i], s)
		}
	}
	return b.String()
}

func TestExpand(t *testing.T) {
	expand := cri.Expander([]cri.Variable{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)"}})
	for in, want := range map[string]string{
		"$(A)": "1", "$(B)": "$(A)", "$$(A)": "$(A)", "$(C)": "$(C)", "$A": "$A", "x$": "x$", "$(A": "$(A", "$$$(A)$(A)": "$11", "": "", "a$(A)b$(A)": "a1b1",
	} {
		if got := expand(in); got != want {
			t.Errorf("%q expands to %q, want %q", in, got, want)
		}
	}
}
