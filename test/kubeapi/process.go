package kubeapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a program that a test started.
type Process struct {
	cmd *exec.Cmd
	log string
}

// Start starts a program whose output goes to a file.
func Start(logFile, program string, args ...string) (*Process, error) {
	f, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return &Process{cmd, logFile}, nil
}

// Pid is the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop asks the process to end and waits, ten seconds at most.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	kill := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end of %s: %w", p.cmd.Path, err)
	}
	return nil
}

// Why adds the end of the process's log to an error.
func (p *Process) Why(err error) error {
	if err == nil {
		return nil
	}
	content, _ := os.ReadFile(p.log) // without a log the error stands alone
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return fmt.Errorf("%w; the end of its log:\n%s", err, strings.Join(lines[max(0, len(lines)-8):], "\n"))
}

// Until calls check until it succeeds, and returns the last error when ctx ends first.
func Until(ctx context.Context, every time.Duration, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}

// UntilReady asks an API server's /readyz until it says yes, half a minute at most.
func UntilReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// Only whether it answers matters; its certificate may not exist yet when the asking begins.
	asker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 5 * time.Second}
	defer asker.CloseIdleConnections()
	return Until(ctx, 2*time.Millisecond, func() error {
		answer, err := asker.Get(url + "/readyz")
		if err != nil {
			return fmt.Errorf("ask whether the API is ready: %w", err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("ask whether the API is ready: %s", answer.Status)
		}
		return nil
	})
}
