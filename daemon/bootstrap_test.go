package daemon

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"proa/client"
)

// What a cluster starts with, and that a second start changes nothing of it.
func TestBootstrap(t *testing.T) {
	cfg := &Config{NodeName: "a", DataDir: t.TempDir(), RunDir: t.TempDir(), NodeIP: netip.MustParseAddr("192.0.2.1"), Log: slog.New(slog.DiscardHandler)}
	if err := cfg.Default(); err != nil {
		t.Fatal(err)
	}
	port := cfg.APIPort
	cfg.APIPort = 0 // any that is free
	c, err := openControl(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.APIPort = port
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := c.bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	revision := c.store.Snapshot().Revision()
	if err := c.bootstrap(t.Context()); err != nil || c.store.Snapshot().Revision() != revision {
		t.Errorf("a second start wrote something: %v", err)
	}
	view := c.as(systemUser, "system:masters").View()
	datadriven.RunTest(t, "testdata/bootstrap.txt", func(_ *testing.T, d *datadriven.TestData) string {
		var b strings.Builder
		for _, row := range c.kinds.Rows() {
			if strings.HasSuffix(row.Table(), "rbac.authorization.k8s.io") || row.Virtual {
				continue // kinds/rbac has a page of its own for them
			}
			for obj := range client.List[client.Object](view, row.Table(), "") {
				fmt.Fprintf(&b, "%s %s\n", row.Table(), strings.TrimPrefix(obj.GetNamespace()+"/"+obj.GetName(), "/"))
			}
		}
		return b.String()
	})
}
