package admit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"proa/apiserver/auth"
	"proa/kinds/resource"
)

func TestDisabledStepsAreLeftOut(t *testing.T) {
	config := Config{ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}, Authorizer: struct{ auth.Authorizer }{},
		Encode: func(resource.Object) ([]byte, error) { return nil, nil }}
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
	for _, name := range []string{"ServiceAddresses", "Nothing"} {
		config.Disabled = []string{name}
		if _, err := Steps(config); err == nil || !strings.Contains(err.Error(), `no plug-in "`+name+`" to disable`) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
