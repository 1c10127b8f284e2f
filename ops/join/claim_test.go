package join

import (
	"net/netip"
	"testing"
)

func TestFreeRange(t *testing.T) {
	prefix := func(s string) netip.Prefix {
		if s == "" {
			return netip.Prefix{}
		}
		return netip.MustParsePrefix(s)
	}
	for _, test := range []struct {
		all, wanted string
		taken       []string
		want        string // empty: none is left
	}{
		{"10.244.0.0/16", "", nil, "10.244.0.0/24"},
		{"10.244.0.0/16", "", []string{"10.244.0.0/24", "10.244.2.0/24"}, "10.244.1.0/24"},
		{"10.244.0.0/16", "", []string{"10.244.0.0/23"}, "10.244.2.0/24"},
		{"10.244.0.0/16", "10.244.7.0/24", nil, "10.244.7.0/24"},
		{"10.244.0.0/16", "10.244.7.0/24", []string{"10.244.7.0/24"}, "10.244.0.0/24"},
		{"10.244.0.0/16", "10.245.7.0/24", nil, "10.244.0.0/24"},
		{"10.244.0.0/16", "10.0.0.0/8", nil, "10.244.0.0/24"},
		{"10.244.0.0/16", "10.244.7.1/24", nil, "10.244.0.0/24"},
		{"10.244.0.0/23", "", []string{"10.244.0.0/24", "10.244.1.0/24"}, ""},
		{"255.255.255.0/24", "", []string{"255.255.255.0/24"}, ""},
		{"10.244.0.0/26", "", nil, "10.244.0.0/26"},
	} {
		var taken []netip.Prefix
		for _, s := range test.taken {
			taken = append(taken, prefix(s))
		}
		got, ok := freeRange(prefix(test.all), prefix(test.wanted), taken)
		if ok != (test.want != "") || ok && got.String() != test.want {
			t.Errorf("of %s, wanting %q, with %v taken: %s, %v; want %q", test.all, test.wanted, test.taken, got, ok, test.want)
		}
	}
}
