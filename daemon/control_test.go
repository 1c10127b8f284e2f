package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A start that cannot be is an error that says why, and releases what it took.
func TestOpenControlThatFails(t *testing.T) {
	dir := t.TempDir()
	cfg := &Config{DataDir: filepath.Join(dir, "data"), NodeName: "a", EncryptionConfig: filepath.Join(dir, "config"), Log: slog.New(slog.DiscardHandler)}
	if err := cfg.Default(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second would find the store locked if the first had kept it
		if err := os.WriteFile(cfg.EncryptionConfig, []byte("kind: Config"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openControl(cfg); err == nil || !strings.Contains(err.Error(), "expected EncryptionConfiguration") {
			t.Errorf("opened with a wrong configuration: %v", err)
		}
		cfg.Identity.AuthenticationConfig = cfg.EncryptionConfig // found wrong when the store is open
		cfg.EncryptionConfig = ""
		if _, err := openControl(cfg); err == nil || !strings.Contains(err.Error(), "expected AuthenticationConfiguration") {
			t.Errorf("opened with a wrong configuration: %v", err)
		}
		cfg.EncryptionConfig, cfg.Identity.AuthenticationConfig = cfg.Identity.AuthenticationConfig, ""
	}
}
