package daemon

import (
	"net/netip"
	"strings"
	"testing"
)

func TestDefaultsFitTogether(t *testing.T) {
	c := Config{NodeName: "a"}
	if err := c.Default(); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]string{
		DefaultDataDir: c.DataDir, "/run/proa": c.RunDir, "/kubepods": cgroupRoot(&c), "https://10.99.0.1:6443": c.apiURL(),
		"10.96.0.1": c.apiServiceIP().String(), "10.96.0.10": c.dnsServiceIP().String(),
	} {
		if got != what {
			t.Errorf("got %s, want %s", got, what)
		}
	}
	other := Config{NodeName: "a", DataDir: "/elsewhere"}
	if err := other.Default(); err != nil {
		t.Fatal(err)
	}
	if other.RunDir == c.RunDir || cgroupRoot(&other) == cgroupRoot(&c) {
		t.Errorf("two clusters meet in %s or %s", other.RunDir, cgroupRoot(&other))
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"overlap":          func(c *Config) { c.Services = netip.MustParsePrefix("10.244.128.0/17") },
		"outside":          func(c *Config) { c.NodePods = netip.MustParsePrefix("10.3.0.0/24") },
		"only IPv4":        func(c *Config) { c.Services = netip.MustParsePrefix("fd00::/112") },
		"127.0.0.1":        func(c *Config) { c.NodeIP = netip.MustParseAddr("127.0.0.1") },
		"that pods can re": func(c *Config) { c.NodeIP = netip.MustParseAddr("0.0.0.0") },
		"says where":       func(c *Config) { c.Audit.PolicyFile = "policy.yaml" },
		"audit-log-mode":   func(c *Config) { c.Audit.LogMode = "sometimes" },
	} {
		c := Config{NodeName: "a"}
		change(&c)
		if err := c.Default(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
