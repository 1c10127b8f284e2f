// Command profile is Proa's control plane with a profiler around it, for the benchmarks: the product has no such switch.
//
// It takes the same flags as `proa server` as far as the benchmarks use them, and writes cpu.pprof and heap.pprof into the
// folder that BENCH_PROFILE names: the CPU profile covers its life, the heap is that of the moment when SIGUSR1
// asks for it. `make bench PROFILE=folder` runs it in the place of proa.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"

	"proa/daemon"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
}

func run() error {
	var cfg daemon.Config
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.StringVar(&cfg.DataDir, "data-dir", "", "as of proa server")
	flags.StringVar(&cfg.Kubeconfig, "kubeconfig", "", "as of proa server")
	flags.StringVar(&cfg.Audit.PolicyFile, "audit-policy-file", "", "as of proa server")
	flags.StringVar(&cfg.Audit.LogPath, "audit-log-path", "", "as of proa server")
	if len(os.Args) < 2 || os.Args[1] != "server" {
		return fmt.Errorf("only the server is profiled: %v", os.Args[1:])
	}
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	if err := cfg.Default(); err != nil {
		return err
	}
	dir := os.Getenv("BENCH_PROFILE")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder BENCH_PROFILE: %w", err)
	}
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return fmt.Errorf("make profile: %w", err)
	}
	defer cpu.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return fmt.Errorf("start profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	now := make(chan os.Signal, 1)
	signal.Notify(now, syscall.SIGUSR1)
	go func() {
		for range now {
			if err := heap(dir); err != nil {
				fmt.Fprintln(os.Stderr, "profile:", err)
			}
		}
	}()
	return daemon.Server(ctx, &cfg, func() {})
}

// heap writes what is alive.
func heap(dir string) error {
	f, err := os.Create(filepath.Join(dir, "heap.pprof"))
	if err != nil {
		return fmt.Errorf("make profile: %w", err)
	}
	defer f.Close()
	runtime.GC()
	return pprof.WriteHeapProfile(f)
}
