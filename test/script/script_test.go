// Package script tells whole-system stories: each file in testdata is one, run against the built program in a network
// namespace and a data directory of its own, with real containers.
package script

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestScripts(t *testing.T) {
	bin := needs(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		WorkdirRoot:         t.TempDir(),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE") != "",        // with UPDATE=1 what cmp finds is written down
		Deadline:            time.Now().Add(12 * time.Minute), // a script that hangs says where
		Setup:               func(env *testscript.Env) error { return setup(env, bin) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until":   until,
			"load":    load,
			"state":   state,
			"crash":   crash,
			"storm":   rage,
			"answers": answers,
			"machine": machine,
			"disk":    disk,
			"stored":  stored,
		},
	})
}

// needs skips the test where a cluster cannot run, and returns the folder of the built program.
func needs(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers: not part of the short tests")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: starts containers and makes network namespaces")
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"proa", "bundle/containerd", "bundle/containerd-shim-runc-v2", "bundle/runc", "bundle/ctr", "bundle/proa-cni"} {
		if _, err := os.Stat(filepath.Join(bin, f)); err != nil {
			t.Skipf("needs bin/%s: run make build", f)
		}
	}
	return bin
}

// setup gives a script a host of its own: a network namespace, and programs on PATH that run inside it.
func setup(env *testscript.Env, bin string) error {
	name := fmt.Sprintf("proa-script-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		return fmt.Errorf("make network namespace: %w: %s", err, out)
	}
	inside := func(args ...string) *exec.Cmd {
		return exec.Command("nsenter", append([]string{"--net=/run/netns/" + name}, args...)...)
	}
	if out, err := inside("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("set loopback up: %w: %s", err, out)
	}
	data := filepath.Join(env.WorkDir, "data")
	tools := filepath.Join(env.WorkDir, "tools")
	env.Defer(func() {
		if out, err := inside(filepath.Join(bin, "proa"), "uninstall", "--data-dir", data).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "uninstall after the script: %v: %s\n", err, out)
		}
		if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "remove network namespace: %v: %s\n", err, out)
		}
	})
	// The wrapper gives every verb that takes it the script's data directory.
	wrappers := map[string]string{
		"proa": fmt.Sprintf(`case $1 in
up|server|down|uninstall|status|kubeconfig|token) verb=$1; shift; exec nsenter --net=/run/netns/%[1]s %[2]s/proa $verb --data-dir %[3]s "$@" ;;
image) sub=$2; shift 2; exec nsenter --net=/run/netns/%[1]s %[2]s/proa image $sub --data-dir %[3]s "$@" ;;
*) exec nsenter --net=/run/netns/%[1]s %[2]s/proa "$@" ;;
esac`, name, bin, data),
		"kubectl": fmt.Sprintf(`exec nsenter --net=/run/netns/%s %s/proa kubectl "$@"`, name, bin),
		"host":    fmt.Sprintf(`exec nsenter --net=/run/netns/%s "$@"`, name),
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return err
	}
	for tool, body := range wrappers {
		if err := os.WriteFile(filepath.Join(tools, tool), []byte("#!/bin/bash\n"+body+"\n"), 0o755); err != nil {
			return err
		}
	}
	repo := filepath.Dir(bin)
	env.Setenv("PATH", tools+":"+env.Getenv("PATH")+":"+os.Getenv("PATH"))
	env.Setenv("KUBECONFIG", filepath.Join(data, "kubeconfig"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("GOCACHE", goEnv("GOCACHE"))
	env.Setenv("GOMODCACHE", goEnv("GOMODCACHE"))
	env.Setenv("GOFLAGS", "-buildvcs=false")
	env.Setenv("CGO_ENABLED", "0")                                      // programs for containers that hold nothing else
	env.Setenv("PROA_UPSTREAM_CACHE", os.Getenv("PROA_UPSTREAM_CACHE")) // see test/upstream/build
	env.Setenv("REPO", repo)
	env.Setenv("DATA", data)
	env.Setenv("NETNS", name)
	return nil
}

func goEnv(name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// patience is how long until tries.
const patience = 90 * time.Second

// until runs a command again and again until it succeeds: "until kubectl get pod x", or until it prints what a pattern
// matches: "until -match PATTERN kubectl ...". With ! it goes on until it fails.
func until(ts *testscript.TestScript, neg bool, args []string) {
	pattern := ""
	if len(args) > 2 && args[0] == "-match" {
		pattern, args = args[1], args[2:]
	}
	if len(args) == 0 {
		ts.Fatalf("usage: [!] until [-match TEXT] COMMAND [ARG...]")
	}
	deadline := time.Now().Add(patience)
	for {
		cmd := exec.Command(filepath.Join(ts.Getenv("WORK"), "tools", args[0]), args[1:]...)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = environ(ts)
		out, err := cmd.CombinedOutput()
		ok := err == nil && (pattern == "" || strings.Contains(string(out), pattern))
		if ok != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: not within %s; last said: %v\n%s", strings.Join(args, " "), patience, err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "KUBECONFIG", "HOME", "WORK", "REPO", "DATA"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}
