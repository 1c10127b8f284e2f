package podnet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"proa/internal/nstest"
	"proa/network/podnet"
)

func newNetwork(t *testing.T, host netns.NsHandle, dir string) *podnet.Network {
	t.Helper()
	n, err := podnet.New(podnet.Config{
		Range: netip.MustParsePrefix("10.244.7.0/24"), NodeIP: netip.MustParseAddr("10.99.0.1"),
		StateDir: dir, Socket: filepath.Join(dir, "cni.sock"), Host: host,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// addNodeIP gives the test's host the address that it sends to pods from.
func addNodeIP(t *testing.T, host netns.NsHandle) {
	t.Helper()
	h, err := netlink.NewHandleAt(host)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := netlink.ParseAddr("10.99.0.1/32")
	if err := h.AddrAdd(lo, addr); err != nil {
		t.Fatal(err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, n *podnet.Network) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// exchange sends a line from one namespace to another and returns the sender's address as the receiver sees it.
func exchange(t *testing.T, from, to netns.NsHandle, addr string) string {
	t.Helper()
	var listener net.Listener
	var err error
	nstest.Do(t, to, func() { listener, err = net.Listen("tcp4", addr) })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go nstest.Do(t, from, func() {
		conn, err := net.Dial("tcp4", addr)
		if err != nil {
			t.Error(err)
			listener.Close()
			return
		}
		fmt.Fprintln(conn, "hello")
		conn.Close()
	})
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "hello\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	return conn.RemoteAddr().(*net.TCPAddr).IP.String()
}

func TestPodsReachEachOtherAndTheHost(t *testing.T) {
	host, _ := nstest.New(t, "host")
	a, pathA := nstest.New(t, "a")
	b, pathB := nstest.New(t, "b")
	addNodeIP(t, host)
	n := newNetwork(t, host, t.TempDir())
	run(t, n)
	first, err := n.Attach("sandbox-a", pathA, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	second, err := n.Attach("sandbox-b", pathB, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	if got := exchange(t, a, b, second.Address.String()+":80"); got != first.Address.String() {
		t.Errorf("pod to pod: source %s, want %s", got, first.Address)
	}
	if got := exchange(t, host, a, first.Address.String()+":80"); got != "10.99.0.1" {
		t.Errorf("host to pod: source %s, want the node's address", got)
	}
	if got := exchange(t, b, host, "10.99.0.1:80"); got != second.Address.String() {
		t.Errorf("pod to host: source %s, want %s", got, second.Address)
	}
	again, err := n.Attach("sandbox-a", pathA, "eth0")
	if err != nil || again.Address != first.Address {
		t.Errorf("second attach of one sandbox: %v, %v, want %v", again.Address, err, first.Address)
	}
	for _, id := range []string{"sandbox-a", "sandbox-b", "sandbox-b"} {
		if err := n.Detach(id); err != nil {
			t.Errorf("detach %s: %v", id, err)
		}
	}
	h, err := netlink.NewHandleAt(host)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, podnet.LinkPrefix) {
			t.Errorf("link %s is left over", l.Attrs().Name)
		}
	}
}

func TestARestartKeepsAddresses(t *testing.T) {
	host, _ := nstest.New(t, "host")
	_, pathA := nstest.New(t, "a")
	_, pathB := nstest.New(t, "b")
	addNodeIP(t, host)
	dir := t.TempDir()
	first, err := newNetwork(t, host, dir).Attach("sandbox-a", pathA, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	restarted := newNetwork(t, host, dir)
	other, err := restarted.Attach("sandbox-b", pathB, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	same, err := restarted.Attach("sandbox-a", pathA, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	if other.Address == first.Address || same.Address != first.Address {
		t.Errorf("first %s, other %s, same %s", first.Address, other.Address, same.Address)
	}
}

func TestPlugin(t *testing.T) {
	host, _ := nstest.New(t, "host")
	_, path := nstest.New(t, "a")
	addNodeIP(t, host)
	dir := t.TempDir()
	plugin := filepath.Join(dir, podnet.PluginName)
	if out, err := exec.Command("go", "build", "-o", plugin, "./plugin").CombinedOutput(); err != nil {
		t.Fatalf("build plugin: %v\n%s", err, out)
	}
	conf, err := podnet.Conflist(filepath.Join(dir, "cni.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Plugins []json.RawMessage }
	if err := json.Unmarshal(conf, &list); err != nil {
		t.Fatal(err)
	}
	call := func(command, ns string) (string, error) {
		cmd := exec.Command(plugin)
		cmd.Stdin = strings.NewReader(string(list.Plugins[0]))
		cmd.Env = []string{"CNI_COMMAND=" + command, "CNI_CONTAINERID=c1", "CNI_NETNS=" + ns, "CNI_IFNAME=eth0"}
		out, err := cmd.Output()
		return string(out), err
	}
	if out, err := call("ADD", path); err == nil || !strings.Contains(out, "proa agent: ") {
		t.Errorf("without an agent: %q, %v", out, err)
	}
	n := newNetwork(t, host, dir)
	run(t, n)
	silent, err := net.Dial("unix", filepath.Join(dir, "cni.sock"))
	for ; err != nil; silent, err = net.Dial("unix", filepath.Join(dir, "cni.sock")) { // it appears when Run is ready
		runtime.Gosched()
	}
	defer silent.Close() // says nothing, and must not keep Run from ending
	out, err := call("ADD", path)
	if err != nil || !strings.Contains(out, `"address":"10.244.7.1/32"`) {
		t.Errorf("ADD: %s, %v", out, err)
	}
	if out, err := call("ADD", "/run/netns/none-such"); err == nil || !strings.Contains(out, "none-such") {
		t.Errorf("ADD to a namespace that is not there: %s, %v", out, err)
	}
	if out, err := call("DEL", path); err != nil {
		t.Errorf("DEL: %s, %v", out, err)
	}
}
