package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain also is the process that holds a lock for another test: it takes it, says so, and waits to be ended.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PROA_TEST_HOLD_LOCK"); dir != "" {
		if _, err := Acquire(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		select {}
	}
	os.Exit(m.Run())
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	if pid := Running(dir); pid != 0 {
		t.Errorf("nothing runs, got %d", pid)
	}
	if pid, err := StopRunning(context.Background(), dir); pid != 0 || err != nil {
		t.Errorf("stop nothing: %d, %v", pid, err)
	}
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "PROA_TEST_HOLD_LOCK="+dir)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 5)
	if _, err := out.Read(line); err != nil || string(line) != "held\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	go holder.Wait() // so that no zombie looks like a process
	if _, err := Acquire(dir); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprint(holder.Process.Pid)) {
		t.Errorf("second process: %v", err)
	}
	if pid, err := StopRunning(context.Background(), dir); pid != holder.Process.Pid || err != nil {
		t.Errorf("stop: %d, %v", pid, err)
	}
	lock, err := Acquire(dir)
	if err != nil {
		t.Fatalf("after the other ended: %v", err)
	}
	if pid := Running(dir); pid != os.Getpid() {
		t.Errorf("running: %d", pid)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}
