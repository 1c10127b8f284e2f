package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// state writes what the script's host, or a machine, holds that a cluster could leave behind, one thing a line: "state FILE
// [MACHINE]".
func state(ts *testscript.TestScript, neg bool, args []string) {
	data, space := ts.Getenv("DATA"), ts.Getenv("NETNS")
	switch {
	case neg || len(args) < 1 || len(args) > 2:
		ts.Fatalf("usage: state FILE [MACHINE]")
	case len(args) == 2:
		data, space = machineData(ts, args[1]), machineSpace(ts, args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(clusterIn(data).state(space)), 0o644))
}

// cluster is how the traces of one cluster are told from those of others on the machine: by the names of its folders.
type cluster struct{ data, run string }

// clusterIn knows, as daemon does, that the run directory is named after the data directory.
func clusterIn(data string) cluster {
	sum := sha256.Sum256([]byte(data))
	return cluster{data: data, run: "proa-" + hex.EncodeToString(sum[:4])}
}

func (c cluster) owns(text string) bool {
	return strings.Contains(text, c.data) || strings.Contains(text, c.run)
}

func (c cluster) state(ns string) string {
	var lines []string
	add := func(kind string, items []string) {
		sort.Strings(items)
		for _, i := range items {
			lines = append(lines, kind+" "+i)
		}
	}
	add("process", c.processes())
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(mounts), "\n") {
		if c.owns(line) {
			add("mount", []string{line})
		}
	}
	for _, what := range [][]string{{"ip", "-o", "link"}, {"ip", "-o", "addr"}, {"ip", "route"}, {"ip", "rule"}, {"nft", "list", "ruleset"}} {
		out, err := exec.Command("nsenter", append([]string{"--net=/run/netns/" + ns}, what...)...).CombinedOutput()
		if err != nil {
			out = []byte(err.Error())
		}
		add(strings.Join(what, " "), strings.Split(strings.TrimSpace(string(out)), "\n"))
	}
	groups := "kubepods" + strings.TrimPrefix(c.run, "proa")
	for _, glob := range []string{"/sys/fs/cgroup/" + groups, "/sys/fs/cgroup/*/" + groups, "/run/" + c.run, c.data} {
		found, _ := filepath.Glob(glob)
		add("file", found)
	}
	return strings.Join(lines, "\n") + "\n"
}

// processes lists the programs of the cluster by name and id: those that were started with its folders as arguments, and
// those in its containers, whose mounts lie there.
func (c cluster) processes() []string {
	var found []string
	own, _ := os.Readlink("/proc/self/ns/mnt")
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		arguments, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		ours := c.owns(string(arguments))
		if mnt, err := os.Readlink(filepath.Join(dir, "ns/mnt")); err == nil && mnt != own {
			mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
			ours = ours || c.owns(string(mounts))
		}
		if ours {
			name, _ := os.ReadFile(filepath.Join(dir, "comm"))
			found = append(found, fmt.Sprintf("%s %s", strings.TrimSpace(string(name)), filepath.Base(dir)))
		}
	}
	return found
}
