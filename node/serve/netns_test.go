package serve

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestWithinDialsInTheOtherNamespace listens on the loopback interface of a fresh network namespace.
func TestWithinDialsInTheOtherNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	namespace, listener := make(chan string), make(chan net.Listener)
	end := make(chan struct{})
	defer close(end)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Error(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
		}
		namespace <- fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		listener <- l
		<-end
	}()
	path, l := <-namespace, <-listener
	defer l.Close()
	dial := func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
	conn, err := within(path, dial)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := within("/proc/self/ns/uts", dial); err == nil {
		t.Error("another kind of namespace was entered")
	}
	// This thread and all others are where they were: the address means nothing here.
	if conn, err := dial(); err == nil {
		conn.Close()
		t.Error("the namespace leaked")
	}
}
