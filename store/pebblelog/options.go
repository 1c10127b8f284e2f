package pebblelog

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"proa/store"
	"proa/store/index"
)

// Options say where a log is kept and how much history it holds.
type Options struct {
	Dir     string                // required: the directory of the log, made if absent, used by one process at a time
	Decode  func(*store.Item) any // required: makes an Item's Value from its Data; called by readers, concurrently
	Sealer  store.Sealer          // optional: encrypts rows; nil leaves all in the open
	FS      vfs.FS                // optional: the real one
	Clock   func() time.Time      // optional: time.Now; ages the history
	Logger  *slog.Logger          // optional: slog.Default
	History index.Options         // optional: see index for the defaults
	Failed  func(error)           // optional: called once when the disk failed and no more writes are taken
}

func (o Options) complete() (Options, error) {
	if o.Dir == "" || o.Decode == nil {
		return o, errors.New("open log: Dir and Decode are required")
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o, nil
}
