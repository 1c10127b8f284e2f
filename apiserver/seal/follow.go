package seal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Follower keeps the Sealer of a configuration file up to date while it is used: a plug-in that says that it has another key gets
// to encrypt another data key, and a file that has changed is taken up. What is on the disk stays as it was sealed until it is
// written again, or until the next start; so a key that the file names no more must have nothing left to open.
type Follower struct {
	path   string
	reload bool // take up the file, too
	own    *Own
	sealer *Sealer
	log    *slog.Logger
	read   []byte // the file as it was taken up
	using  *Sealer
}

// Follow makes a Follower of a Sealer that Load made of the file just before.
func Follow(path string, own *Own, s *Sealer, reload bool, log *slog.Logger) (*Follower, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read encryption configuration: %w", err)
	}
	return &Follower{path: path, reload: reload, own: own, sealer: s, log: log, read: data, using: s}, nil
}

// Run looks whenever tick says so, until ctx ends. What goes wrong changes nothing, and is logged.
func (f *Follower) Run(ctx context.Context, tick <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		if err := f.look(ctx); err != nil && ctx.Err() == nil {
			f.log.Error("what was in force for encryption stays so", "error", err)
		}
	}
}

func (f *Follower) look(ctx context.Context) error {
	if f.reload {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return fmt.Errorf("read encryption configuration: %w", err)
		}
		if !bytes.Equal(data, f.read) {
			return f.takeUp(ctx, data)
		}
	}
	for _, k := range f.using.plugins() {
		if err := k.refresh(ctx); err != nil {
			return fmt.Errorf("kms %s: %w", k.name, err)
		}
	}
	return nil
}

// takeUp has the next write use another configuration.
func (f *Follower) takeUp(ctx context.Context, data []byte) error {
	next, err := parse(ctx, data)
	if err != nil {
		return fmt.Errorf("encryption configuration %s: %w", f.path, err)
	}
	if f.own != nil {
		next.others = f.own.providers
	}
	for _, k := range f.using.plugins() {
		if err := k.conn.Close(); err != nil { // writes ask it for nothing
			f.log.Warn("connection to a key management plug-in was not closed", "plugin", k.name, "error", err)
		}
	}
	f.using, f.read = next, data
	f.sealer.next.Store(next)
	f.log.Info("another encryption configuration is in force", "file", f.path)
	return nil
}

// plugins are the key management plug-ins of a configuration.
func (s *Sealer) plugins() []*kms {
	var all []*kms
	for _, r := range s.rules {
		for _, p := range r.providers {
			if k, ok := p.(*kms); ok {
				all = append(all, k)
			}
		}
	}
	return all
}
