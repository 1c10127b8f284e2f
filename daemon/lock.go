package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Lock is held by the process that serves a data directory. The kernel frees it when the process ends, however it ends.
type Lock struct{ file *os.File }

// ErrRunning says that another process holds the lock.
var ErrRunning = errors.New("Proa is running already")

func lockPath(runDir string) string { return filepath.Join(runDir, "lock") }

// Acquire takes the lock, or fails with ErrRunning and the id of the process that has it.
func Acquire(runDir string) (*Lock, error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	file, err := os.OpenFile(lockPath(runDir), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: process %d", ErrRunning, pidIn(file))
		}
		return nil, fmt.Errorf("take lock: %w", err)
	}
	if err := file.Truncate(0); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	if _, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return &Lock{file}, nil
}

// Release gives the lock up.
func (l *Lock) Release() error { return l.file.Close() }

// Running is the process that serves the run directory, 0 if there is none.
func Running(runDir string) int {
	file, err := os.OpenFile(lockPath(runDir), os.O_RDWR, 0)
	if err != nil {
		return 0
	}
	defer file.Close()
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return 0
	}
	return pidIn(file)
}

// StopRunning asks the process that serves the run directory to stop and waits until it has. It returns the process, or 0
// if there was none.
func StopRunning(ctx context.Context, runDir string) (int, error) {
	pid := Running(runDir)
	if pid == 0 {
		return 0, nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return pid, fmt.Errorf("stop process %d: %w", pid, err)
	}
	// There is no event for a lock that becomes free without blocking for good.
	for Running(runDir) == pid {
		select {
		case <-ctx.Done():
			return pid, fmt.Errorf("process %d did not stop: %w", pid, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return pid, nil
}

func pidIn(file *os.File) int {
	b := make([]byte, 20)
	n, _ := file.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0
	}
	return pid
}
