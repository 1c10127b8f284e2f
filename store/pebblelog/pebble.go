package pebblelog

import "github.com/cockroachdb/pebble/v2"

// pebbleOptions make Pebble small: it only ever appends, deletes what is old, and is read from end to end once per start.
// So its cache serves nothing but compactions, and the memtable's size is how much log a restart replays.
func (l *Log) pebbleOptions() *pebble.Options {
	return &pebble.Options{
		FS:                 l.files,
		Logger:             slogger{to: l.options.Logger, failure: &l.failure},
		FormatMajorVersion: pebble.FormatValueSeparation, // a fixed one: a newer program must not lock out an older one by chance
		CacheSize:          1 << 20,
		MemTableSize:       2 << 20,
		MaxOpenFiles:       64,
		EventListener: &pebble.EventListener{
			// A failed flush or compaction is retried by Pebble for ever, with writes piling up before it.
			BackgroundError: func(err error) { l.failure.set(err) },
		},
	}
}
