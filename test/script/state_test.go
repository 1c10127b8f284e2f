package script

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// state writes what the machine holds that a cluster could leave behind, one thing a line: "state FILE".
func state(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: state FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(machineState(ts.Getenv("NETNS"), ts.Getenv("WORK"))), 0o644))
}

func machineState(ns, work string) string {
	var lines []string
	add := func(kind string, items []string) {
		sort.Strings(items)
		for _, i := range items {
			lines = append(lines, kind+" "+i)
		}
	}
	add("process", processes())
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	add("mount", fields(string(mounts), 4))
	for _, what := range [][]string{{"ip", "-o", "link"}, {"ip", "-o", "addr"}, {"ip", "route"}, {"ip", "neigh"}, {"nft", "list", "ruleset"}} {
		out, err := exec.Command("nsenter", append([]string{"--net=/run/netns/" + ns}, what...)...).CombinedOutput()
		if err != nil {
			out = []byte(err.Error())
		}
		add(strings.Join(what, " "), strings.Split(strings.TrimSpace(string(out)), "\n"))
	}
	cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods*")
	add("cgroup", cgroups)
	for _, glob := range []string{"/run/proa*", "/run/netns/cni-*", "/var/run/netns/cni-*", "/run/containerd*", filepath.Join(work, "data*")} {
		found, _ := filepath.Glob(glob)
		add("file", found)
	}
	return strings.Join(lines, "\n") + "\n"
}

// processes lists programs that belong to a cluster, by name and id.
func processes() []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		name := strings.TrimSpace(string(comm))
		for _, ours := range []string{"proa", "containerd", "runc", "pause"} {
			if strings.HasPrefix(name, ours) {
				found = append(found, fmt.Sprintf("%s %s", name, filepath.Base(dir)))
			}
		}
	}
	return found
}

// fields is the n-th field of each line.
func fields(text string, n int) []string {
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if f := strings.Fields(line); len(f) > n {
			all = append(all, f[n])
		}
	}
	return all
}
