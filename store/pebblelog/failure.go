package pebblelog

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// failure remembers the first error of the disk. There is no way back: what the files hold is known again only after
// they have been read anew.
type failure struct {
	happened chan struct{}
	tell     func(error) // nil: nobody wants to know
	mu       struct {
		sync.Mutex
		err error
	}
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.err != nil {
		return
	}
	f.mu.err = err
	close(f.happened)
	if f.tell != nil {
		f.tell(err)
	}
}

func (f *failure) cause() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.err
}

// slogger carries Pebble's messages to slog: its chatter as debug, its fatal errors as the end of writing.
type slogger struct {
	to      *slog.Logger
	failure *failure
}

var _ pebble.Logger = slogger{}

func (s slogger) Infof(format string, args ...any) { s.to.Debug(fmt.Sprintf(format, args...)) }

func (s slogger) Errorf(format string, args ...any) { s.to.Warn(fmt.Sprintf(format, args...)) }

// Fatalf ends the goroutine that calls it, not the process: Pebble relies on Fatalf not to return, and we want to keep serving
// reads. Locks that the goroutine held stay held, so Pebble is not called again after a failure.
func (s slogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	s.to.Error("log failed: no further writes", "error", err)
	s.failure.set(err)
	runtime.Goexit()
}

// guard runs f apart, so that a Fatalf or a panic in it comes back as an error: Pebble panics when it cannot
// tell what a failed disk holds.
func guard(f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errors.New("pebble gave up")
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("pebble gave up: %v", r)
			}
			result <- err
		}()
		err = f()
	}()
	return <-result
}
