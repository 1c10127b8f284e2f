package shutdown

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"proa/internal/pause"
)

// logind is systemd's login manager, which lets those who ask delay a shutdown for a while.
type logind struct {
	conn *dbus.Conn
	conf string // our setting of it; gone with the next boot
}

const (
	loginService = "org.freedesktop.login1"
	loginPath    = "/org/freedesktop/login1"
	loginManager = "org.freedesktop.login1.Manager"

	confDir = "/run/systemd/logind.conf.d"
)

// Logind connects to the login manager over the system's bus.
func Logind() (Bus, error) {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return nil, fmt.Errorf("connect to the system's bus: %w", err)
	}
	return newLogind(conn, confDir), nil
}

func newLogind(conn *dbus.Conn, confDir string) *logind {
	return &logind{conn: conn, conf: filepath.Join(confDir, "99-proa.conf")}
}

func (l *logind) manager() dbus.BusObject { return l.conn.Object(loginService, loginPath) }

// reloadTimeout bounds the wait for a changed setting to be read.
const reloadTimeout = 5 * time.Second

// Delay implements Bus. What logind is set to is raised when it is too little.
func (l *logind) Delay(ctx context.Context, wanted time.Duration) (time.Duration, error) {
	delay, err := l.delay()
	if err != nil || delay >= wanted {
		return delay, err
	}
	if err := os.MkdirAll(filepath.Dir(l.conf), 0o755); err != nil {
		return 0, fmt.Errorf("raise the delay of shutdowns: %w", err)
	}
	content := fmt.Sprintf("# Written by proa: pods get this long to end when the machine shuts down.\n[Login]\nInhibitDelayMaxSec=%.0f\n", math.Ceil(wanted.Seconds()))
	if err := os.WriteFile(l.conf, []byte(content), 0o644); err != nil {
		return 0, fmt.Errorf("raise the delay of shutdowns: %w", err)
	}
	systemd := l.conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	call := systemd.CallWithContext(ctx, "org.freedesktop.systemd1.Manager.KillUnit", 0, "systemd-logind.service", "all", int32(syscall.SIGHUP))
	if call.Err != nil {
		return delay, fmt.Errorf("have logind read its settings: %w", call.Err)
	}
	for end := time.Now().Add(reloadTimeout); delay < wanted && time.Now().Before(end) && ctx.Err() == nil; pause.For(ctx, look) {
		if delay, err = l.delay(); err != nil {
			return 0, err
		}
	}
	return delay, nil
}

func (l *logind) delay() (time.Duration, error) {
	value, err := l.manager().GetProperty(loginManager + ".InhibitDelayMaxUSec")
	if err != nil {
		return 0, fmt.Errorf("read how long a shutdown can be delayed: %w", err)
	}
	microseconds, ok := value.Value().(uint64)
	if !ok {
		return 0, fmt.Errorf("read how long a shutdown can be delayed: logind says %v", value)
	}
	return time.Duration(microseconds) * time.Microsecond, nil
}

// Inhibit implements Bus.
func (l *logind) Inhibit(ctx context.Context) (func() error, error) {
	var lock dbus.UnixFD
	call := l.manager().CallWithContext(ctx, loginManager+".Inhibit", 0, "shutdown", "proa", "pods are stopped in order", "delay")
	if err := call.Store(&lock); err != nil {
		return nil, fmt.Errorf("delay shutdowns: %w", err)
	}
	return func() error {
		if err := syscall.Close(int(lock)); err != nil {
			return fmt.Errorf("let the machine shut down: %w", err)
		}
		return nil
	}, nil
}

// Shutdowns implements Bus.
func (l *logind) Shutdowns(ctx context.Context) (<-chan bool, error) {
	if err := l.conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(loginManager), dbus.WithMatchMember("PrepareForShutdown"), dbus.WithMatchObjectPath(loginPath)); err != nil {
		return nil, fmt.Errorf("listen for shutdowns: %w", err)
	}
	signals, shutdowns := make(chan *dbus.Signal, 1), make(chan bool, 1)
	l.conn.Signal(signals)
	go func() {
		defer close(shutdowns)
		for signal := range signals {
			if signal.Name != loginManager+".PrepareForShutdown" || len(signal.Body) != 1 {
				continue
			}
			if begins, ok := signal.Body[0].(bool); ok {
				select {
				case shutdowns <- begins:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return shutdowns, nil
}

// Close implements Bus. The setting of logind goes too.
func (l *logind) Close() error {
	err := os.Remove(l.conf)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.conn.Close())
}
