package shutdown

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// login is a login manager on a bus of the test's own.
type login struct {
	conn  *dbus.Conn
	props *prop.Properties
	conf  string

	read, write *os.File // a copy of the second is the lock
}

// Inhibit hands out one end of a pipe, as logind does.
func (l *login) Inhibit(what, who, why, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "shutdown" || mode != "delay" {
		return 0, dbus.MakeFailedError(fmt.Errorf("what is %q, mode %q", what, mode))
	}
	read, write, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	l.read, l.write = read, write
	return dbus.UnixFD(write.Fd()), nil
}

// KillUnit is systemd's: the unit reads its settings anew.
func (l *login) KillUnit(unit, who string, signal int32) *dbus.Error {
	content, err := os.ReadFile(l.conf)
	if err != nil || unit != "systemd-logind.service" || signal != 1 {
		return dbus.MakeFailedError(fmt.Errorf("unit %s, signal %d, settings: %w", unit, signal, err))
	}
	if strings.Contains(string(content), "\nInhibitDelayMaxSec=30\n") {
		l.props.SetMust(loginManager, "InhibitDelayMaxUSec", uint64(30_000_000))
	}
	return nil
}

// bus starts a bus, and a login manager on it that allows five seconds.
func bus(t *testing.T) (*login, *dbus.Conn) {
	t.Helper()
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon, of the Debian package dbus-daemon: logind is played on a bus of the test's own")
	}
	config := filepath.Join(t.TempDir(), "bus.conf")
	rules := `<busconfig><type>session</type><listen>unix:tmpdir=` + t.TempDir() + `</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`
	if err := os.WriteFile(config, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config-file", config, "--print-address", "--nofork")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	connect := func() *dbus.Conn {
		conn, err := dbus.Connect(strings.TrimSpace(address))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // the code under test closes its own
		return conn
	}
	l := &login{conn: connect(), conf: filepath.Join(t.TempDir(), "logind.conf.d", "99-proa.conf")}
	l.props, err = prop.Export(l.conn, loginPath, prop.Map{loginManager: {"InhibitDelayMaxUSec": {Value: uint64(5_000_000), Emit: prop.EmitFalse}}})
	for _, export := range []struct{ path, face, name string }{
		{loginPath, loginManager, loginService}, {"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "org.freedesktop.systemd1"},
	} {
		if err == nil {
			err = l.conn.Export(l, dbus.ObjectPath(export.path), export.face)
		}
		if err == nil {
			_, err = l.conn.RequestName(export.name, dbus.NameFlagDoNotQueue)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, connect()
}

func TestLogind(t *testing.T) {
	login, conn := bus(t)
	l := newLogind(conn, filepath.Dir(login.conf))
	if delay, err := l.Delay(t.Context(), 4*time.Second); err != nil || delay != 5*time.Second {
		t.Errorf("delay is %s, %v", delay, err)
	}
	if delay, err := l.Delay(t.Context(), 29500*time.Millisecond); err != nil || delay != 30*time.Second {
		t.Errorf("raised delay is %s, %v", delay, err)
	}
	shutdowns, err := l.Shutdowns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release, err := l.Inhibit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, begins := range []bool{true, false} {
		if err := login.conn.Emit(loginPath, loginManager+".PrepareForShutdown", begins); err != nil {
			t.Fatal(err)
		}
		if got := <-shutdowns; got != begins {
			t.Errorf("shutdown is %t, want %t", got, begins)
		}
	}
	// The login manager keeps no end of the lock that it gave away: with the release nobody holds it.
	if err := errors.Join(login.write.Close(), release()); err != nil {
		t.Fatal(err)
	}
	if n, err := login.read.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the lock is still held: %d, %v", n, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-shutdowns; open {
		t.Error("a closed bus tells of shutdowns")
	}
	if _, err := os.Stat(login.conf); !os.IsNotExist(err) {
		t.Errorf("the setting is still there: %v", err)
	}
}
