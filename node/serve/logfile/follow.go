package logfile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// checkEvery is the safety net under the events.
	checkEvery = 5 * time.Second
	// closedEvery is how often the container's state is asked for once its log is closed: the runtime closes first.
	closedEvery = 50 * time.Millisecond
)

// follow prints lines as they come until the container is gone or ctx is done.
//
//	writing --writer closed--> ended, if the container is gone
//	writing --renamed--> old file --writer closed, or the new file has lines--> writing
func (l *log) follow(ctx context.Context, p *printer, running func(context.Context) bool) error {
	if !running(ctx) {
		return l.rest(p)
	}
	for {
		closed := l.watch.closed // before the drain: what was written before the close is then read
		if err := l.drain(p); err != nil {
			return err
		}
		switch {
		case l.rotated():
			later := l.later()
			if !closed && len(later) == 0 && (l.fresh || !l.successorHasLines()) {
				break
			}
			if err := l.drain(p); err != nil {
				return err
			}
			if done, err := l.advance(later, p); err != nil {
				return err
			} else if done {
				if !running(ctx) { // the new file may have been closed before we came
					return l.rest(p)
				}
				continue
			}
			// Between the rename and the writer's return there is no file; or the container is gone.
		case l.watch.closed != closed:
			continue
		}
		timeout := checkEvery
		if closed {
			timeout = closedEvery
		}
		if p.to.Pause != nil {
			p.to.Pause()
		}
		err := l.watch.wait(ctx, timeout)
		if ctx.Err() != nil {
			return nil // the reader left
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && !running(ctx) {
			return l.rest(p)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// rest prints what is left when nobody writes any more.
func (l *log) rest(p *printer) error {
	for {
		if err := l.drain(p); err != nil {
			return err
		}
		if !l.rotated() {
			return nil
		}
		if done, err := l.advance(l.later(), p); err != nil || !done {
			return err
		}
	}
}

// successorHasLines tells that the writer has moved on, where its leaving could not be seen.
func (l *log) successorHasLines() bool {
	info, err := os.Stat(l.path)
	return err == nil && info.Size() > 0
}

// later lists the rotated files that follow the open one, the next one first: a slow reader may be several behind.
func (l *log) later() []string {
	names, err := filepath.Glob(l.path + ".*")
	own, statErr := l.file.Stat()
	if err != nil || statErr != nil {
		return nil
	}
	slices.Sort(names)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, own) {
			l.name = plainName(name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return l.name == "" || plainName(name) <= l.name || strings.HasSuffix(name, ".tmp")
	})
}

// plainName is a rotated file's name before it was compressed.
func plainName(name string) string { return strings.TrimSuffix(name, ".gz") }

// advance begins the next file, after printing those that were compressed meanwhile; false means that there is none yet.
func (l *log) advance(later []string, p *printer) (bool, error) {
	for _, name := range later {
		if !strings.HasSuffix(name, ".gz") {
			return l.begin(name) == nil, nil
		}
		content, err := readOlder(name)
		if err != nil {
			return false, err
		}
		for line := range bytes.Lines(content) {
			if err := p.print(line); err != nil {
				return false, err
			}
		}
		l.name = plainName(name)
	}
	return l.beginCurrent()
}

// beginCurrent goes on at path, unless the file there is not the next one: it may have been renamed since the list was made.
func (l *log) beginCurrent() (bool, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return false, nil
	}
	next, err := file.Stat()
	later := l.later()
	if err == nil && len(later) > 0 {
		var info os.FileInfo
		if info, err = os.Stat(later[0]); err == nil && !os.SameFile(info, next) {
			return true, file.Close() // the caller looks again
		}
	}
	if err != nil {
		return false, errors.Join(err, file.Close())
	}
	return true, l.use(file)
}

// watch is inotify on the log's directory, for growth and new files, and on the open file itself, for its close.
type watch struct {
	events *os.File
	file   int // watch descriptor
	closed bool
}

func newWatch(dir string) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w := &watch{events: os.NewFile(uintptr(fd), "inotify"), file: -1}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MODIFY|unix.IN_MOVE); err != nil {
		w.close()
		return nil, &os.PathError{Op: "watch", Path: filepath.Clean(dir), Err: err}
	}
	return w, nil
}

// follow moves the watch of the file to another one. By descriptor, for a name may mean another file by now.
func (w *watch) follow(file *os.File) error {
	raw, err := w.events.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if w.file >= 0 {
			_, _ = unix.InotifyRmWatch(int(fd), uint32(w.file))
		}
		w.file, failed = unix.InotifyAddWatch(int(fd), "/proc/self/fd/"+strconv.Itoa(int(file.Fd())), unix.IN_CLOSE_WRITE)
	})
	w.closed = false
	return errors.Join(err, failed)
}

func (w *watch) close() { w.events.Close() }

// wait returns after an event, or with os.ErrDeadlineExceeded. When ctx is done it returns at once.
func (w *watch) wait(ctx context.Context, timeout time.Duration) error {
	if err := w.events.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buffer := make([]byte, 4096)
	n, err := w.events.Read(buffer)
	if err != nil {
		return err
	}
	for at := 0; at+unix.SizeofInotifyEvent <= n; {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&buffer[at]))
		if int(event.Wd) == w.file && event.Mask&unix.IN_CLOSE_WRITE != 0 {
			w.closed = true
		}
		at += unix.SizeofInotifyEvent + int(event.Len)
	}
	return nil
}
