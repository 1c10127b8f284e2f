package script

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// disk puts the cluster's data on a file system of its own, before it is started: "disk SIZE", such as 2G.
func disk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: disk SIZE")
	}
	data, file := ts.Getenv("DATA"), filepath.Join(ts.Getenv("WORK"), "disk")
	ts.Check(os.MkdirAll(data, 0o755))
	must := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			ts.Fatalf("make disk: %v: %v: %s", args, err, out)
		}
	}
	must("truncate", "-s", args[0], file)
	must("mkfs.ext4", "-q", "-F", file)
	must("mount", "-o", "loop", file, data)
	ts.Defer(func() {
		if out, err := exec.Command(filepath.Join(ts.Getenv("WORK"), "tools", "proa"), "down").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "stop before the disk goes: %v: %s\n", err, out)
		}
		if out, err := exec.Command("umount", data).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "unmount the disk: %v: %s\n", err, out)
		}
	})
}
