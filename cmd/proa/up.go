package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"proa/daemon"
)

// readyFD is the pipe on which a detached process reports to the one that started it.
const readyFD = 3

// readyLine ends the report: the node is Ready.
const readyLine = "ready"

func up() *cobra.Command {
	var o options
	var detach bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster on this machine: control plane and node in one process",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			if detach {
				return startDetached(o.config)
			}
			return runUntilSignal(cmd.Context(), &o.config, daemon.Up)
		},
	}
	o.serve(cmd)
	o.audit(cmd)
	o.node(cmd)
	cmd.Flags().IntVar(&o.config.Nodes, "nodes", 0, "nodes on this machine; all but the first are processes of their own, in a network namespace each (default as many as there were, or 1)")
	cmd.Flags().BoolVar(&detach, "detach", false, "return when the node is Ready; the cluster runs on in the background")
	return cmd
}

func server() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the control plane alone",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			return runUntilSignal(cmd.Context(), &o.config, daemon.Server)
		},
	}
	o.serve(cmd)
	o.audit(cmd)
	return cmd
}

// runUntilSignal runs a role until it fails or the process is asked to stop.
func runUntilSignal(ctx context.Context, cfg *daemon.Config, run func(context.Context, *daemon.Config, func()) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	keepFiles()
	report := os.Stderr
	if os.Getenv("PROA_DETACHED") != "" {
		report = os.NewFile(readyFD, "report")
		os.Unsetenv("PROA_DETACHED")
	}
	begin := time.Now()
	cfg.Progress = func(step string, took time.Duration) { fmt.Fprintf(report, "%-34s %6.2f s\n", step, took.Seconds()) }
	return run(ctx, cfg, func() {
		fmt.Fprintf(report, "%-34s %6.2f s\n", "node Ready, after", time.Since(begin).Seconds())
		if report != os.Stderr {
			fmt.Fprintln(report, readyLine)
			report.Close()
		}
	})
}

// keepFiles keeps what the program was started with, such as a lock or a pipe of its caller, from the processes that it starts:
// containerd and containers outlive it, and would hold them as long. Before Linux 5.11 the kernel cannot be told so.
func keepFiles() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}

// startDetached starts the same command once more, in a session of its own, and returns when it reports readiness.
func startDetached(cfg daemon.Config) error {
	if pid := daemon.Running(cfg.RunDir); pid != 0 {
		fmt.Printf("the cluster in %s runs already, as process %d\n", cfg.DataDir, pid)
		return nil
	}
	keepFiles()
	logFile, err := openLog(cfg.DataDir)
	if err != nil {
		return err
	}
	defer logFile.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	var args []string
	for _, a := range os.Args[1:] {
		if a != "--detach" && a != "--detach=true" {
			args = append(args, a)
		}
	}
	child := exec.Command(self, args...)
	child.Stdout, child.Stderr = logFile, logFile
	child.ExtraFiles = []*os.File{w}
	child.Env = append(os.Environ(), "PROA_DETACHED=1")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	w.Close()
	return follow(r, child, logFile.Name())
}

// follow shows the child's report until it is ready; if the child ends before, it shows why.
func follow(report *os.File, child *exec.Cmd, logName string) error {
	defer report.Close()
	for lines := bufio.NewScanner(report); lines.Scan(); {
		if lines.Text() == readyLine {
			return child.Process.Release()
		}
		fmt.Println(lines.Text())
	}
	err := child.Wait()
	return fmt.Errorf("the cluster did not start (%w); the end of %s:\n%s", errors.Join(err), logName, tail(logName, 8))
}

func openLog(dataDir string) (*os.File, error) {
	name := filepath.Join(dataDir, "log", "proa.log")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("make log folder: %w", err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// tail is the last lines of a file.
func tail(name string, lines int) string {
	content, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
