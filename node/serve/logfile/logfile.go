// Package logfile reads the log of one container, as the CRI writes it: across rotations, from any line or time on, and as it
// grows.
//
// It decides which lines a reader gets and owns nothing but open files while it copies. The node's API calls it. A log that is
// rotated while it is followed loses no line: the old file is read to its end, which comes when its writer closes it, before the new
// one is begun. When the container is gone, a follower gets what is there and ends.
package logfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options choose what is copied. The zero value is the whole log.
type Options struct {
	Follow     bool
	Timestamps bool      // put each line's time before it
	Since      time.Time // only what was printed at or after
	TailLines  *int64    // only the last lines of the file; see PodLogOptions
	LimitBytes *int64
}

// Destination is where lines go. A stream that is nil is not wanted.
type Destination struct {
	Stdout, Stderr io.Writer
	// Pause is called before every wait for further lines: what was written by then must not lie in a buffer. Optional.
	Pause func()
}

// Copy copies the log at path. running is asked whether the container still writes, when its log was closed and now and then.
func Copy(ctx context.Context, path string, options Options, to Destination, running func(context.Context) bool) error {
	log, err := open(ctx, path)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer log.close()
	segments, err := log.older()
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	printer := &printer{options: options, to: to, left: -1}
	if options.LimitBytes != nil {
		printer.left = *options.LimitBytes
	}
	if err := log.start(segments, options.TailLines, printer); err != nil {
		return finish(err)
	}
	if !options.Follow {
		return finish(log.rest(printer))
	}
	return finish(log.follow(ctx, printer, running))
}

// errLimit ends a copy that has reached its limit.
var errLimit = errors.New("limit reached")

func finish(err error) error {
	if errors.Is(err, errLimit) || err == nil {
		return nil
	}
	return fmt.Errorf("read log: %w", err)
}
