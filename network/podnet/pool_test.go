package podnet

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestPoolUsesEveryAddressOnceAndFreedOnesLate(t *testing.T) {
	p, err := openPool(t.TempDir(), netip.MustParsePrefix("10.0.0.0/29"))
	if err != nil {
		t.Fatal(err)
	}
	take := func(owner string) netip.Addr {
		t.Helper()
		a, err := p.take(owner)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := take("a")
	if err := p.release("a"); err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{}
	for i := range 5 {
		seen[take(fmt.Sprint(i))] = true
	}
	if seen[first] || len(seen) != 5 {
		t.Errorf("a freed address came back too early: %v", seen)
	}
	if last := take("last"); last != first {
		t.Errorf("the last free address is %s, got %s", first, last)
	}
	if _, err := p.take("one too many"); err == nil {
		t.Error("a full range handed out an address")
	}
}
