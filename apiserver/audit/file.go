package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// FileConfig says where events are written and when the file is rotated.
type FileConfig struct {
	Path       string        // required; "-" is the standard output
	MaxSize    int64         // optional: bytes; 0 means 100 MiB
	MaxAge     time.Duration // optional: of rotated files; 0 keeps them
	MaxBackups int           // optional: number of rotated files; 0 keeps them
	Now        func() time.Time
}

const (
	defaultMaxSize = 100 << 20
	backupTime     = "2006-01-02T15-04-05.000"
	longestKept    = 64 << 10 // bytes that are kept for the next events to be written in
)

// File is a sink that writes events as lines of JSON.
type File struct {
	config FileConfig
	mu     struct {
		sync.Mutex
		file  *os.File
		size  int64
		lines []byte // what was written last; of which only the room counts
	}
}

// NewFile opens, or makes, the file.
func NewFile(c FileConfig) (*File, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxSize <= 0 {
		c.MaxSize = defaultMaxSize
	}
	f := &File{config: c}
	if c.Path == "-" {
		f.mu.file = os.Stdout
		return f, nil
	}
	return f, f.openLocked()
}

func (f *File) openLocked() error {
	if err := os.MkdirAll(filepath.Dir(f.config.Path), 0o700); err != nil {
		return fmt.Errorf("make folder of the audit log: %w", err)
	}
	file, err := os.OpenFile(f.config.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open audit log: %w", err), file.Close())
	}
	f.mu.file, f.mu.size = file, info.Size()
	return nil
}

// Write implements Sink.
func (f *File) Write(events ...*auditv1.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.mu.lines[:0]
	for _, e := range events {
		var err error
		if lines, err = appendEvent(lines, e); err != nil {
			return fmt.Errorf("write audit event: %w", err)
		}
		lines = append(lines, '\n')
	}
	if cap(lines) <= longestKept {
		f.mu.lines = lines
	}
	if f.mu.file == nil {
		return errors.New("write audit log: it is closed")
	}
	if f.config.Path != "-" && f.mu.size > 0 && f.mu.size+int64(len(lines)) > f.config.MaxSize {
		if err := f.rotateLocked(); err != nil {
			return err
		}
	}
	n, err := f.mu.file.Write(lines)
	f.mu.size += int64(n)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// rotateLocked puts the file aside under the time of day, begins a new one, and removes what is too old or too many.
func (f *File) rotateLocked() error {
	if err := f.mu.file.Close(); err != nil {
		return fmt.Errorf("rotate audit log: %w", err)
	}
	f.mu.file = nil
	base, extension := f.split()
	aside := base + f.config.Now().UTC().Format(backupTime) + extension
	failed := os.Rename(f.config.Path, aside)
	if err := f.openLocked(); err != nil {
		return errors.Join(failed, err)
	}
	if failed != nil {
		return fmt.Errorf("rotate audit log: %w", failed)
	}
	return f.prune()
}

// split is the path before and after where a rotated file has the time: /x/audit- and .log.
func (f *File) split() (base, extension string) {
	extension = filepath.Ext(f.config.Path)
	return strings.TrimSuffix(f.config.Path, extension) + "-", extension
}

func (f *File) prune() error {
	base, extension := f.split()
	all, err := filepath.Glob(base + "*" + extension)
	if err != nil {
		return fmt.Errorf("look for rotated audit logs: %w", err)
	}
	slices.Sort(all) // by time
	slices.Reverse(all)
	var failed []error
	kept := 0
	for _, name := range all {
		at, err := time.Parse(backupTime, strings.TrimSuffix(strings.TrimPrefix(name, base), extension))
		if err != nil {
			continue // somebody else's
		}
		kept++
		if f.config.MaxBackups > 0 && kept > f.config.MaxBackups || f.config.MaxAge > 0 && f.config.Now().Sub(at) > f.config.MaxAge {
			failed = append(failed, os.Remove(name))
		}
	}
	return errors.Join(failed...)
}

// Run implements Sink: it closes the file at the end.
func (f *File) Run(ctx context.Context) error {
	<-ctx.Done()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.config.Path == "-" || f.mu.file == nil {
		return nil
	}
	err := f.mu.file.Close()
	f.mu.file = nil
	return err
}
