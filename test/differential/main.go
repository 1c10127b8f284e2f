package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"proa/kinds"
)

// perRun is how many requests the servers of one run are asked at most: then both are started anew, with empty stores.
const perRun = 10000

// options are what the command line says.
type options struct {
	programs string // folder of upstream's programs
	work     string
	seed     uint64
	requests int
	show     int
	record   string
	replay   string
	keep     string
	open     string
	forms    string
	kinds    string
}

func main() {
	var o options
	flag.StringVar(&o.programs, "upstream", "", "folder of upstream's kube-apiserver and etcd")
	flag.StringVar(&o.work, "work", ".cache/differential", "folder for data, emptied")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the first 10,000 requests, the next have the next seed; 0: a new one")
	flag.IntVar(&o.requests, "requests", perRun, "how many requests to ask both")
	flag.IntVar(&o.show, "show", 20, "how many classes of differences to print")
	flag.StringVar(&o.record, "record", "", "file for all that was asked, with upstream's answers")
	flag.StringVar(&o.replay, "replay", "", "file that -record wrote: asks Proa alone")
	flag.StringVar(&o.keep, "keep", "", "folder for unknown differences, each cut down to a short history")
	flag.StringVar(&o.open, "open", "", "file to be replaced by the classes of differences that are found now and have no reason")
	flag.StringVar(&o.forms, "forms", "", "file for upstream's answers to the questions of forms.go: asks upstream alone")
	flag.StringVar(&o.kinds, "kinds", "", "resources that histories are made of, comma-separated; none: all")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listed := openClasses()
	if o.open != "" {
		listed = nil
	}
	found := newReport(listed)
	begin := time.Now()
	err := runAll(ctx, o, found)
	found.print(os.Stdout, o.show)
	fmt.Printf("seed %d\n", o.seed)
	fmt.Fprintf(os.Stderr, "%.0f s\n", time.Since(begin).Seconds())
	unknown := found.unknown()
	switch {
	case err != nil:
	case o.open != "":
		err = writeOpen(o.open, unknown)
	case len(unknown) > 0:
		err = fmt.Errorf("%d classes of differences have no reason in known.go", len(unknown))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

func runAll(ctx context.Context, o options, found *report) error {
	if o.replay != "" {
		return replayFile(ctx, o, found)
	}
	var all []history
	for left := o.requests; left > 0; left -= perRun {
		one := o
		one.requests = min(left, perRun)
		one.work = filepath.Join(o.work, fmt.Sprint(o.seed)) // clients remember the certificates that a folder held
		recorded, err := run(ctx, one, found)
		if err != nil {
			return err
		}
		all = append(all, recorded...)
		o.seed++
	}
	if o.record == "" {
		return nil
	}
	return writeHistories(o.record, all)
}

// startBoth starts both servers in an emptied folder. stop ends them.
func startBoth(ctx context.Context, o options) (upstream, ours *server, stop func() error, err error) {
	if err := errors.Join(os.RemoveAll(o.work), os.MkdirAll(o.work, 0o755)); err != nil {
		return nil, nil, nil, fmt.Errorf("make work folder: %w", err)
	}
	ours, stopOurs, err := startOurs(ctx, o.work)
	if err != nil || o.replay != "" {
		return nil, ours, stopOurs, err
	}
	upstream, stopUpstream, err := startUpstream(ctx, o.programs, o.work, ours)
	if err != nil {
		return nil, nil, nil, errors.Join(err, stopOurs())
	}
	return upstream, ours, func() error { return errors.Join(stopUpstream(), stopOurs()) }, nil
}

// run asks both servers what one seed says.
func run(ctx context.Context, o options, found *report) (all []history, err error) {
	upstream, ours, stop, err := startBoth(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if o.forms != "" {
		return nil, recordForms(ctx, upstream, o.forms)
	}
	if all, err = compareAll(ctx, o, upstream, ours, found); err != nil {
		return nil, err
	}
	if err := confirmAll(ctx, upstream, ours, found); err != nil {
		return nil, err
	}
	if o.keep != "" {
		err = keepAll(ctx, o, upstream, ours, found)
	}
	return all, err
}

func replayFile(ctx context.Context, o options, found *report) (err error) {
	text, err := os.ReadFile(o.replay)
	if err != nil {
		return fmt.Errorf("read histories: %w", err)
	}
	all, err := parseHistories(string(text))
	if err != nil {
		return err
	}
	_, ours, stop, err := startBoth(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return replayAll(ctx, ours, all, found)
}

func replayAll(ctx context.Context, ours *server, all []history, found *report) error {
	return each(ctx, len(all), func(ctx context.Context, i int) error {
		differences, err := replay(ctx, ours, all[i])
		found.add(all[i], differences)
		return err
	})
}

// compareAll makes histories until there are enough requests, and asks Proa what upstream was asked.
func compareAll(ctx context.Context, o options, upstream, ours *server, found *report) ([]history, error) {
	kindsOfSeeds, err := targets(kinds.Builtin(), kinds.NewScheme())
	if err != nil {
		return nil, err
	}
	if o.kinds != "" {
		kindsOfSeeds = only(kindsOfSeeds, strings.Split(o.kinds, ","))
	}
	if len(kindsOfSeeds) == 0 {
		return nil, fmt.Errorf("no seed is of %s", o.kinds)
	}
	all := make([]history, o.requests/(perHistory+len(setup()))+1)
	err = each(ctx, len(all), func(ctx context.Context, i int) error {
		h, err := record(ctx, upstream, newGenerator(o.seed, i, kindsOfSeeds), fmt.Sprintf("seed %d, history %d", o.seed, i))
		if err != nil {
			return err
		}
		differences, err := replay(ctx, ours, h)
		found.add(h, differences)
		if o.record != "" {
			all[i] = h
		}
		return err
	})
	return all, err
}

func writeHistories(file string, all []history) error {
	var b strings.Builder
	for _, h := range all {
		b.WriteString(h.String() + "\n")
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write histories: %w", err)
	}
	return nil
}

// keepAll writes the first history of each class of differences, cut down.
func keepAll(ctx context.Context, o options, upstream, ours *server, found *report) error {
	if err := os.MkdirAll(o.keep, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	all := found.unknown()
	return each(ctx, min(o.show, len(all)), func(ctx context.Context, i int) error {
		file := filepath.Join(o.keep, all[i].fileName())
		if _, err := os.Stat(file); err == nil {
			return nil // of an earlier seed
		}
		return writeHistories(file, []history{minimise(ctx, upstream, ours, all[i].first)})
	})
}
