package gone_test

import (
	"io"
	"net"
	"testing"

	"proa/internal/gone"
)

// pair is both ends of a connection.
func pair(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return accepted.(*net.TCPConn), dialled.(*net.TCPConn)
}

// An end is told of though there is much that nobody reads.
func TestWatch(t *testing.T) {
	here, there := pair(t)
	ended := make(chan struct{})
	stop, err := gone.Watch(here, func() { close(ended) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	gone.Abort(there)
	<-ended
	stop()
}

// What is read, and an end of what is sent, are no end; after stop nothing is told.
func TestWatchOfWhatGoesOn(t *testing.T) {
	here, there := pair(t)
	stop, err := gone.Watch(here, func() { t.Error("an end was told of") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(there, "last words"); err != nil {
		t.Fatal(err)
	}
	if err := there.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(here); err != nil || string(got) != "last words" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.WriteString(here, "an answer"); err != nil {
		t.Error(err)
	}
	here.Close()
	stop()
	if got, err := io.ReadAll(there); err != nil || string(got) != "an answer" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWatchOfWhatIsNoSocket(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	if _, err := gone.Watch(here, func() {}); err == nil {
		t.Error("a pipe was watched")
	}
}
