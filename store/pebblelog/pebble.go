package pebblelog

import "github.com/cockroachdb/pebble/v2"

// pebbleOptions make Pebble small: it only ever appends, deletes what is old, and is read from end to end once per start.
// So its cache serves nothing but compactions, and the memtable's size is how much log a restart replays.
//
// The format is the last one before WAL sync chunks. Those note in the log's file how far it was synced, so that a restart
// can tell a rotten block from the end of the log. Relaxed commits leave syncs out behind Pebble's back (relaxed.go), so
// the note would be a lie: a power failure that keeps a later block of the unsynced tail and loses an earlier one
// would be taken for rot, and the log would not open. TestPowerFailureRelaxed shows it. What we give up is that a
// block which rots in the newest file of the log, at most a memtable long, ends the log there without an error.
func (l *Log) pebbleOptions() *pebble.Options {
	return &pebble.Options{
		FS:                 l.files,
		Logger:             slogger{to: l.options.Logger, failure: &l.failure},
		FormatMajorVersion: pebble.FormatColumnarBlocks,
		CacheSize:          1 << 20,
		MemTableSize:       2 << 20,
		MaxOpenFiles:       64,
		EventListener: &pebble.EventListener{
			// A failed flush or compaction is retried by Pebble for ever, with writes piling up before it.
			BackgroundError: func(err error) { l.failure.set(err) },
		},
	}
}
