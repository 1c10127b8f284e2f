package runtime

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata")

func TestConfiguration(t *testing.T) {
	got := render(settings{
		programs: Programs{Containerd: "/b/containerd", Shim: "/b/containerd-shim-runc-v2", Runc: "/b/runc",
			Versions: map[string]string{"containerd": "2.2.9", "runc": "1.4.3"}},
		root: "/data", state: "/run/c", temp: "/data/tmp", socket: "/run/c.sock", runcRoot: "/run/runc",
		cniBinDir: "/cni/bin", cniConfDir: "/cni/net.d", sandboxImage: "proa.local/pause:1", registryDir: "/data/certs.d",
		restrictOOM: true,
	})
	const golden = "testdata/containerd.toml"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOOMScoreDetection(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    bool
	}{"already low": {"-999\n", true}, "no number": {"x", false}, "writable": {"0\n", true}} {
		file := t.TempDir() + "/oom_score_adj"
		if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := canLowerOOMScore(file); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if canLowerOOMScore("/nonexistent") {
		t.Error("a missing file counts as writable")
	}
}

func TestMountsBelow(t *testing.T) {
	const mounts = "1 0 8:1 / / rw - ext4 d rw\n2 1 0:5 / /data/a rw - tmpfs t rw\n3 1 0:5 / /database rw - tmpfs t rw\n4 2 0:6 / /data/a/b\\040c rw - tmpfs t rw\n"
	if got := strings.Join(mountsBelow(mounts, []string{"/data"}), ","); got != "/data/a,/data/a/b c" {
		t.Errorf("got %s", got)
	}
}
