package run

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Logs are renamed when they reach maxLogSize, compressed one rotation later, and removed beyond maxLogFiles.
const (
	maxLogSize     = 10 << 20
	maxLogFiles    = 5
	rotateInterval = 10 * time.Second
	rotatedFormat  = "20060102-150405"
	compressed     = ".gz"
)

// rotateLogs keeps what running containers print from filling the disk.
func (r *Runner) rotateLogs(ctx context.Context) {
	ticker := time.NewTicker(rotateInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, w := range r.allWorkers() {
			for _, c := range w.served().Containers {
				if !c.Running || c.LogPath == "" {
					continue
				}
				if err := r.rotateLog(ctx, c.ID, c.LogPath); err != nil && ctx.Err() == nil {
					w.log.Warn("rotate log", "container", c.Name, "error", err)
				}
			}
		}
	}
}

func (r *Runner) rotateLog(ctx context.Context, id, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return r.Runtime.ReopenLog(ctx, id) // an earlier rotation was cut short
	}
	if err != nil || info.Size() < maxLogSize {
		return err
	}
	if err := thinLogs(path); err != nil {
		return err
	}
	rotated := path + "." + time.Now().UTC().Format(rotatedFormat)
	if err := os.Rename(path, rotated); err != nil {
		return fmt.Errorf("rename log: %w", err)
	}
	if err := r.Runtime.ReopenLog(ctx, id); err != nil {
		// Go on writing where readers look, and try again.
		return errors.Join(fmt.Errorf("reopen log: %w", err), os.Rename(rotated, path))
	}
	return nil
}

// thinLogs makes room for one more rotated log: the oldest go, the others are compressed.
func thinLogs(path string) error {
	old, err := filepath.Glob(path + ".*")
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	slices.Sort(old) // their names are times
	for len(old) > maxLogFiles-2 {
		if err := os.Remove(old[0]); err != nil {
			return fmt.Errorf("remove log: %w", err)
		}
		old = old[1:]
	}
	for _, file := range old {
		if !strings.HasSuffix(file, compressed) {
			if err := compress(file); err != nil {
				return fmt.Errorf("compress log: %w", err)
			}
		}
	}
	return nil
}

func compress(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	part := path + ".tmp"
	out, err := os.Create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	zip := gzip.NewWriter(out)
	if _, err := io.Copy(zip, in); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := errors.Join(zip.Close(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path+compressed); err != nil {
		return err
	}
	return os.Remove(path)
}

// logFiles lists a container's log and what was rotated from it.
func logFiles(path string) []string {
	old, err := filepath.Glob(path + ".*")
	if err != nil {
		old = nil
	}
	return append(old, path)
}
