package serve

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// heldFor is how long what a client sent waits to be taken until the client is tried, and then how often.
const heldFor = 30 * time.Second

// held is what a client sends, for those who may be long in taking it. Meanwhile nothing more is read, and a client that has closed
// its connection is not seen to have done so: the end comes after all that it sent, and its kernel keeps that for minutes. But the
// kernel refuses what is sent to nobody. So the client is sent nothing, as a message, which those who are there take no notice of.
type held struct {
	ctx   context.Context // of the session
	from  io.Reader
	to    io.Writer // the client
	every time.Duration
	timer *time.Timer
	tries atomic.Int64 // left; none while from is read
}

// hold is from, which must be of the client that to is of. The tries end with ctx.
func hold(ctx context.Context, from io.Reader, to io.Writer, every time.Duration) *held {
	h := &held{ctx: ctx, from: from, to: to, every: every}
	h.timer = time.AfterFunc(every, h.try)
	return h
}

// Read implements io.Reader.
func (h *held) Read(p []byte) (int, error) {
	h.tries.Store(0)
	h.timer.Stop()
	n, err := h.from.Read(p)
	if err == nil {
		h.tries.Store(int64(idleTimeout / h.every)) // each of them is something that happens: without an end nothing would be idle
		h.timer.Reset(h.every)
	}
	return n, err
}

func (h *held) try() {
	if h.ctx.Err() != nil || h.tries.Add(-1) < 0 {
		return
	}
	if _, err := h.to.Write(nil); err == nil {
		h.timer.Reset(h.every)
	}
}
