// Package nstest gives tests network namespaces: hosts of their own on this machine.
package nstest

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netns"
)

// New makes a network namespace that lasts as long as the test. It returns a handle and the path that names it, and skips
// the test where namespaces cannot be made.
func New(t testing.TB, name string) (ns netns.NsHandle, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	name = fmt.Sprintf("proa-test-%s-%d", name, os.Getpid())
	var err error
	Do(t, -1, func() { ns, err = netns.NewNamed(name) })
	if err != nil {
		t.Skipf("needs network namespaces: %v", err)
	}
	t.Cleanup(func() {
		ns.Close()
		if err := netns.DeleteNamed(name); err != nil {
			t.Error(err)
		}
	})
	return ns, "/run/netns/" + name
}

// Do runs f on a thread inside the namespace, -1 meaning the present one, and waits for it. The thread ends with f, so
// it cannot carry the namespace elsewhere.
func Do(t testing.TB, ns netns.NsHandle, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		if ns >= 0 {
			if err := netns.Set(ns); err != nil {
				done <- err
				return
			}
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatalf("enter network namespace: %v", err)
	}
}

// Dialer makes connections from inside the namespace.
func Dialer(ns netns.NsHandle) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		type result struct {
			conn net.Conn
			err  error
		}
		done := make(chan result, 1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the namespace it is in
			if err := netns.Set(ns); err != nil {
				done <- result{nil, err}
				return
			}
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			done <- result{conn, err}
		}()
		r := <-done
		return r.conn, r.err
	}
}
