package static

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"proa/internal/pause"
)

// recheck is how often the folder is read even if nothing was told: it may not have been there to be watched.
const recheck = 20 * time.Second

// watchFolder calls changed when something in the folder may have changed, until ctx ends.
func (s *Source) watchFolder(ctx context.Context) {
	for ctx.Err() == nil {
		err := notify(ctx, s.Dir, s.changed)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, os.ErrNotExist) {
			s.Log.Warn("watch folder of manifests", "folder", s.Dir, "error", err)
		}
		if pause.For(ctx, recheck) {
			s.changed()
		}
	}
}

// notify returns when the folder is gone, or ctx ends.
func notify(ctx context.Context, dir string, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("start inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	defer events.Close()
	const what = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, dir, what); err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	changed() // what happened before it was watched
	for buffer := make([]byte, 4096); ; {
		if _, err := events.Read(buffer); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
		changed()
		if _, err := os.Stat(dir); err != nil {
			return err
		}
	}
}
