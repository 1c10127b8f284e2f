package script

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// Where the script's host and its further machines meet. Each machine has a cable of its own to the host, which carries the
// traffic between them.
const cables = "192.168.77."

// machine adds a machine: "machine NAME NUMBER" makes a network namespace with a cable to the script's host, and a program
// NAME on PATH that runs proa there, with a data directory of its own. The host has the address 192.168.77.1 on all cables,
// the machine 192.168.77.NUMBER.
func machine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: machine NAME NUMBER")
	}
	name, address := args[0], cables+args[1]
	host, space := ts.Getenv("NETNS"), machineSpace(ts, name)
	must := func(args ...string) {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			ts.Fatalf("make machine %s: ip %v: %v: %s", name, args, err, out)
		}
	}
	must("netns", "add", space)
	data, proa := machineData(ts, name), filepath.Join(ts.Getenv("REPO"), "bin", "proa")
	ts.Defer(func() {
		if out, err := exec.Command("nsenter", "--net=/run/netns/"+space, proa, "uninstall", "--data-dir", data).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "uninstall %s after the script: %v: %s\n", name, err, out)
		}
		if out, err := exec.Command("ip", "netns", "del", space).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "remove network namespace: %v: %s\n", err, out)
		}
	})
	cable := "to-" + name
	must("-n", host, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
	must("-n", host, "addr", "add", cables+"1/32", "dev", cable)
	must("-n", host, "link", "set", cable, "up")
	must("-n", host, "route", "add", address+"/32", "dev", cable)
	must("-n", space, "link", "set", "lo", "up")
	must("-n", space, "link", "set", "eth0", "addrgenmode", "none") // its IPv6 address would change while the script looks
	must("-n", space, "addr", "add", address+"/32", "dev", "eth0")
	must("-n", space, "link", "set", "eth0", "up")
	must("-n", space, "route", "add", cables+"1/32", "dev", "eth0")
	must("-n", space, "route", "add", "default", "via", cables+"1", "dev", "eth0", "onlink")
	script := fmt.Sprintf(`#!/bin/bash
case $1 in
agent) shift; exec nsenter --net=/run/netns/%[1]s %[2]s agent --data-dir %[3]s --node-name %[4]s "$@" ;;
down|uninstall|status) verb=$1; shift; exec nsenter --net=/run/netns/%[1]s %[2]s $verb --data-dir %[3]s "$@" ;;
image) sub=$2; shift 2; exec nsenter --net=/run/netns/%[1]s %[2]s image $sub --data-dir %[3]s "$@" ;;
*) exec nsenter --net=/run/netns/%[1]s "$@" ;;
esac
`, space, proa, data, name)
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "tools", name), []byte(script), 0o755))
}

func machineSpace(ts *testscript.TestScript, name string) string {
	return ts.Getenv("NETNS") + "-" + name
}
func machineData(ts *testscript.TestScript, name string) string {
	return filepath.Join(ts.Getenv("WORK"), "machine-"+name)
}
