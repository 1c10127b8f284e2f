package admit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"proa/apiserver/auth"
	"proa/kinds/resource"
)

func TestStepsAreChosen(t *testing.T) {
	config := Config{ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}, Authorizer: struct{ auth.Authorizer }{},
		Encode: func(resource.Object) ([]byte, error) { return nil, nil }, Kind: func(schema.GroupVersionKind) *resource.Resource { return nil }}
	all, err := Steps(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Disabled = []string{"ServiceAccount", "ResourceQuota"}
	some, err := Steps(config)
	if err != nil {
		t.Fatal(err)
	}
	names := func(steps []Step) (list []string) {
		for _, s := range steps {
			list = append(list, s.Name)
		}
		return list
	}
	want := slices.DeleteFunc(names(all), func(name string) bool { return slices.Contains(config.Disabled, name) })
	if got := names(some); !slices.Equal(got, want) || len(got) != len(all)-2 {
		t.Errorf("without %v: %v", config.Disabled, got)
	}
	config.Enabled, config.Disabled = []string{"Priority", ownerPermissions}, nil
	if more, err := Steps(config); err != nil || len(more) != len(all)+1 || !slices.Contains(names(more), ownerPermissions) || slices.Contains(names(all), ownerPermissions) {
		t.Errorf("with %v: %v, %v", config.Enabled, names(more), err)
	}
	config.Disabled = []string{"Priority"}
	if _, err := Steps(config); err == nil || !strings.Contains(err.Error(), `"Priority" is both enabled and disabled`) {
		t.Errorf("enabled and disabled: %v", err)
	}
	for _, name := range []string{"ServiceAddresses", "Nothing"} {
		config.Enabled, config.Disabled = nil, []string{name}
		if _, err := Steps(config); err == nil || !strings.Contains(err.Error(), `no plug-in "`+name+`" to enable or disable`) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
