// Command bench measures Proa on this machine and prints one table: boot, private memory, idle CPU, pod starts, traffic, API
// and scheduling, beside the goals; with -upstream also upstream's kube-apiserver and etcd, in turn, under the same load.
//
// It decides nothing; it owns the processes that it starts. Each stage is this program once more, in network, mount and
// process namespaces of its own, so that all traffic stays inside and nothing outlives the stage. A stage that fails or
// takes too long leaves its rows empty, says why, and makes the whole fail at the end. `make bench` calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// options are what all stages are told.
type options struct {
	proa     string // the program that is measured
	upstream string // folder of kube-apiserver and etcd; empty: they are not measured
	work     string // folder for data, emptied; on the disk that is measured
}

// stage is one part of the run. It reports its figures as they come, so that a failure keeps the earlier ones.
type stage struct {
	name  string
	limit time.Duration
	run   func(context.Context, options, report) error
}

var stages = []stage{
	{"node", 150 * time.Second, measureNode},
	{"cluster", 150 * time.Second, measureCluster},
	{"api", 120 * time.Second, measureProa},
	{"schedule", 60 * time.Second, measureSchedule},
	{"upstream", 240 * time.Second, measureUpstream},
}

func main() {
	var o options
	flag.StringVar(&o.proa, "proa", "bin/proa", "the program that is measured")
	flag.StringVar(&o.upstream, "upstream", "", "folder with upstream's kube-apiserver and etcd, to measure them too")
	flag.StringVar(&o.work, "work", ".cache/bench", "folder for data, on the disk that is measured")
	only := flag.String("only", "", "run one stage: node, cluster, api, schedule, upstream or compare (api and upstream)")
	inside := flag.String("inside", "", "for the program itself: the stage to run in these namespaces")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.absolute()
	switch {
	case err != nil:
	case *inside != "":
		err = runInside(ctx, o, *inside)
	default:
		err = runAll(ctx, o, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) absolute() error {
	for _, p := range []*string{&o.proa, &o.upstream, &o.work} {
		if *p == "" {
			continue
		}
		var err error
		if *p, err = filepath.Abs(*p); err != nil {
			return fmt.Errorf("find folder: %w", err)
		}
	}
	return nil
}

// runAll runs the stages one after another and prints what they found.
func runAll(ctx context.Context, o options, only string) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root: it makes network namespaces and starts containers")
	}
	found := figures{}
	var failed []error
	for _, s := range stages {
		if !s.wanted(o, only) {
			continue
		}
		begin := time.Now()
		part, err := runApart(ctx, o, s)
		for id, value := range part {
			found[id] = value
		}
		fmt.Fprintf(os.Stderr, "%-12s %5.0f s\n", s.name, time.Since(begin).Seconds())
		if err != nil {
			failed = append(failed, fmt.Errorf("stage %s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			return errors.Join(append(failed, ctx.Err())...)
		}
	}
	printTable(os.Stdout, found)
	return errors.Join(failed...)
}

func (s stage) wanted(o options, only string) bool {
	if s.name == "upstream" && o.upstream == "" {
		return false
	}
	return only == "" || only == s.name || only == "compare" && slices.Contains([]string{"api", "upstream"}, s.name)
}
