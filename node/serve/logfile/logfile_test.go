package logfile_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"proa/node/serve/logfile"
)

const lines = `2026-01-02T03:04:05.000000001Z stdout F one
2026-01-02T03:04:06.5Z stderr F two
2026-01-02T03:04:07Z stdout P thr
2026-01-02T03:04:07.1Z stdout F ee
this line was cut by a cra
2026-01-02T03:04:08Z stdout F four
`

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func gone(context.Context) bool { return false }

func copied(t *testing.T, path string, options logfile.Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := logfile.Copy(t.Context(), path, options, logfile.Destination{Stdout: &out, Stderr: &out}, gone); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	write(t, path, lines)
	n := func(n int64) *int64 { return &n }
	for name, test := range map[string]struct {
		options logfile.Options
		want    string
	}{
		"all":        {logfile.Options{}, "one\ntwo\nthree\nfour\n"},
		"follow":     {logfile.Options{Follow: true}, "one\ntwo\nthree\nfour\n"},
		"tail":       {logfile.Options{TailLines: n(1)}, "four\n"},
		"tail all":   {logfile.Options{TailLines: n(99)}, "one\ntwo\nthree\nfour\n"},
		"tail none":  {logfile.Options{TailLines: n(0)}, ""},
		"limit":      {logfile.Options{LimitBytes: n(6)}, "one\ntw"},
		"since":      {logfile.Options{Since: time.Date(2026, 1, 2, 3, 4, 7, 0, time.UTC)}, "three\nfour\n"},
		"timestamps": {logfile.Options{Timestamps: true, TailLines: n(4)}, "2026-01-02T03:04:07.000000000Z three\n2026-01-02T03:04:08.000000000Z four\n"},
	} {
		if got := copied(t, path, test.options); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	var out bytes.Buffer
	if err := logfile.Copy(t.Context(), path, logfile.Options{}, logfile.Destination{Stderr: &out}, gone); err != nil || out.String() != "two\n" {
		t.Errorf("stderr alone: %q, %v", out.String(), err)
	}
}

func TestRotatedFilesBelongToTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	fmt.Fprintf(zip, "2026-01-02T03:04:01Z stdout F a\n2026-01-02T03:04:02Z stdout F b\n")
	zip.Close()
	write(t, path+".20260102-030402.gz", packed.String())
	write(t, path+".20260102-030404", "2026-01-02T03:04:03Z stdout F c\n2026-01-02T03:04:04Z stdout F d\n")
	write(t, path, "2026-01-02T03:04:05Z stdout F e\n")
	for tail, want := range []string{"", "e", "de", "cde", "bcde", "abcde", "abcde"} {
		n := int64(tail)
		if got := strings.ReplaceAll(copied(t, path, logfile.Options{TailLines: &n}), "\n", ""); got != want {
			t.Errorf("tail %d: got %s, want %s", tail, got, want)
		}
	}
	if got := copied(t, path, logfile.Options{}); got != "a\nb\nc\nd\ne\n" {
		t.Errorf("all: %q", got)
	}
}

func TestMissingLog(t *testing.T) {
	dir := t.TempDir()
	err := logfile.Copy(t.Context(), filepath.Join(dir, "0.log"), logfile.Options{Follow: true}, logfile.Destination{}, gone)
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("err = %v", err)
	}
}

// TestFollowLosesNothingAtRotation writes and rotates as the runtime does: rename, open anew, go on there, close the old file
// while its last lines still arrive.
func TestFollowLosesNothingAtRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	write(t, path, "")
	const total = 3000
	var alive atomic.Bool
	alive.Store(true)
	go func() {
		defer alive.Store(false)
		w := openLog(t, path)
		for i := range total {
			line := fmt.Sprintf("%s stdout F %d\n", time.Now().UTC().Format(time.RFC3339Nano), i)
			if rand.IntN(100) > 0 {
				half := rand.IntN(len(line)) // a reader may see half a line
				w.WriteString(line[:half])
				w.WriteString(line[half:])
				continue
			}
			if err := os.Rename(path, fmt.Sprintf("%s.20260102-%06d", path, i)); err != nil {
				t.Error(err)
			}
			next := openLog(t, path)
			w.WriteString(line)
			w.Close()
			w = next
		}
		w.Close()
	}()
	var out bytes.Buffer
	running := func(context.Context) bool { return alive.Load() }
	if err := logfile.Copy(t.Context(), path, logfile.Options{Follow: true}, logfile.Destination{Stdout: &out}, running); err != nil {
		t.Fatal(err)
	}
	for i, got := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		if got != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, got)
		}
	}
	if got := strings.Count(out.String(), "\n"); got != total {
		t.Errorf("%d lines, want %d", got, total)
	}
}

func openLog(t *testing.T, path string) *os.File {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
	}
	return f
}

func TestFollowerMayLeave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	write(t, path, "2026-01-02T03:04:05Z stdout F hello\n")
	ctx, cancel := context.WithCancel(t.Context())
	err := logfile.Copy(ctx, path, logfile.Options{Follow: true}, logfile.Destination{Stdout: leaver(cancel)}, func(context.Context) bool { return true })
	if err != nil {
		t.Error(err)
	}
}

// leaver goes at the first line.
type leaver func()

func (l leaver) Write(p []byte) (int, error) { l(); return len(p), nil }

// A reader's buffer is emptied whenever the log has nothing more for now.
func TestPauseComesAfterEveryBurst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	write(t, path, lines)
	var out bytes.Buffer
	var ended atomic.Bool
	var seen []string
	pause := func() {
		seen = append(seen, out.String())
		switch len(seen) {
		case 1:
			file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer file.Close()
			if _, err := file.WriteString("2026-01-02T03:04:09Z stdout F five\n"); err != nil {
				t.Error(err)
			}
		case 2:
			ended.Store(true)
		}
	}
	to := logfile.Destination{Stdout: &out, Stderr: &out, Pause: pause}
	if err := logfile.Copy(t.Context(), path, logfile.Options{Follow: true}, to, func(context.Context) bool { return !ended.Load() }); err != nil {
		t.Fatal(err)
	}
	if len(seen) < 2 || seen[0] != "one\ntwo\nthree\nfour\n" || seen[1] != seen[0]+"five\n" {
		t.Errorf("written before the pauses: %q", seen)
	}
}
