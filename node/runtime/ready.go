package runtime

import (
	"context"
	"fmt"
	"net"
	"time"
)

// readyTimeout bounds the wait for containerd to serve. It needs a tenth of a second; after a crash with thousands of
// containers to recover, more.
const readyTimeout = time.Minute

// waitReady returns when the CRI answers, the process ended, or the time is over.
//
// Connecting again every few milliseconds is cheaper than an inotify watch on the directory: the socket's appearance is not
// yet its readiness, so there would be two kinds of waiting.
func (r *Runtime) waitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ready := r.cfg.Ready
	if ready == nil {
		ready = connect
	}
	pause := backoff{first: 2 * time.Millisecond, max: 50 * time.Millisecond}
	for {
		err := connect(ctx, r.cfg.Socket)
		if err == nil {
			if err = ready(ctx, r.cfg.Socket); err == nil {
				return nil
			}
		}
		timer := time.NewTimer(pause.next())
		select {
		case <-p.ended:
			timer.Stop()
			return fmt.Errorf("start containerd: it ended at once; the end of %s: %s", r.cfg.LogFile, lastLine(r.cfg.LogFile))
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for containerd at %s: %w (last: %w)", r.cfg.Socket, ctx.Err(), err)
		case <-timer.C:
		}
	}
}

func connect(ctx context.Context, socket string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}
