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
}

func main() {
	var o options
	flag.StringVar(&o.programs, "upstream", "", "folder of upstream's kube-apiserver and etcd")
	flag.StringVar(&o.work, "work", ".cache/differential", "folder for data, emptied")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the histories; 0: a new one")
	flag.IntVar(&o.requests, "requests", 10000, "how many requests to ask both")
	flag.IntVar(&o.show, "show", 20, "how many classes of differences to print")
	flag.StringVar(&o.record, "record", "", "file for all that was asked, with upstream's answers")
	flag.StringVar(&o.replay, "replay", "", "file that -record wrote: asks Proa alone")
	flag.StringVar(&o.keep, "keep", "", "folder for unknown differences, each cut down to a short history")
	flag.StringVar(&o.open, "open", "", "file for the classes of unknown differences, added to those that are in it")
	flag.StringVar(&o.forms, "forms", "", "file for upstream's answers to the questions of forms.go: asks upstream alone")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	found := newReport()
	begin := time.Now()
	err := run(ctx, o, found)
	found.print(os.Stdout, o.show)
	fmt.Printf("seed %d, %.0f s\n", o.seed, time.Since(begin).Seconds())
	if err == nil && o.open != "" {
		err = writeOpen(o.open, found.unknown())
	}
	if n := len(found.unknown()); err == nil && n > 0 {
		err = fmt.Errorf("%d classes of differences have no reason in known.go", n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, found *report) (err error) {
	if err := errors.Join(os.RemoveAll(o.work), os.MkdirAll(o.work, 0o755)); err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	ours, stop, err := startOurs(ctx, o.work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if o.replay != "" {
		text, err := os.ReadFile(o.replay)
		if err != nil {
			return fmt.Errorf("read histories: %w", err)
		}
		all, err := parseHistories(string(text))
		if err != nil {
			return err
		}
		return replayAll(ctx, ours, all, found)
	}
	upstream, stopUpstream, err := startUpstream(ctx, o.programs, o.work, ours)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopUpstream()) }()
	if o.forms != "" {
		return recordForms(ctx, upstream, o.forms)
	}
	all, err := compareAll(ctx, o, upstream, ours, found)
	if err != nil {
		return err
	}
	if o.record != "" {
		if err := writeHistories(o.record, all); err != nil {
			return err
		}
	}
	if o.keep != "" {
		return keepAll(ctx, o, upstream, ours, found)
	}
	return nil
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
	for i, c := range found.unknown() {
		if i == o.show || ctx.Err() != nil {
			break
		}
		h := minimise(ctx, upstream, ours, c.first)
		if err := writeHistories(filepath.Join(o.keep, fmt.Sprintf("%s-%03d.txt", strings.ReplaceAll(kindOf(c.first.request.path), "/", "-"), i)), []history{h}); err != nil {
			return err
		}
	}
	return nil
}
