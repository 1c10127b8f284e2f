// Package gone tells when the other side of a connection is gone, though nobody reads from it.
//
// Who copies a stream reads no further while what it read is not taken, and so does not see the end. It owns a second descriptor
// of the connection while it watches. Those who join two connections call it.
package gone

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Watch calls end, from a goroutine of its own, once the connection is broken in both directions: the other side has reset it, or
// no longer answers. An end of what the other side sends is none, for what it sent before may still be read. The connection is
// one of the kernel's, or TLS over one. stop ends the watch, and must be called: the connection stays open until then.
func Watch(conn net.Conn, end func()) (stop func(), err error) {
	kernels, ok := Under(conn).(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("watch connection: %T has no descriptor", conn)
	}
	file, err := second(kernels)
	if err != nil {
		return nil, fmt.Errorf("watch connection: %w", err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("watch connection: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if raw.Read(broken) == nil { // and not because of stop
			end()
		}
	}()
	return func() {
		file.Close()
		<-ended
	}, nil
}

// Abort closes a connection at once, and has the other side learn so before it has read what was sent.
func Abort(conn net.Conn) {
	if c, ok := Under(conn).(interface{ SetLinger(int) error }); ok {
		_ = c.SetLinger(0) // one that is closed already needs none
	}
	conn.Close()
}

// Under is the connection that others were made of.
func Under(conn net.Conn) net.Conn {
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = outer.NetConn()
	}
}

// second is another descriptor of the connection, for the first is locked by who reads.
func second(conn syscall.Conn) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	if err := raw.Control(func(first uintptr) { fd, failed = unix.FcntlInt(first, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, os.NewSyscallError("fcntl", failed)
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

// broken is asked whenever something happens on the connection.
func broken(fd uintptr) bool {
	polled := []unix.PollFd{{Fd: int32(fd)}} // which asks for errors and hang-ups alone
	_, err := unix.Poll(polled, 0)
	return err == nil && polled[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
