package script

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// crash kills the cluster's process as nothing can prepare it for: "crash".
func crash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: crash")
	}
	ts.Check(clusterIn(ts.Getenv("DATA")).kill())
}

// kill ends the process that holds the cluster's lock with SIGKILL. The kernel frees the lock when it is gone; a start
// before that fails, so kill waits.
func (c cluster) kill() error {
	lock, err := os.OpenFile(filepath.Join("/run", c.run, "lock"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	text, err := os.ReadFile(lock.Name())
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("read the process in %s: %w", lock.Name(), err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
}
