package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/utils/clock"
)

// ErrOverflow: events came faster than they could be passed on, and the buffer is full.
var ErrOverflow = errors.New("audit buffer is full")

// BatchConfig says how events are gathered before they are passed on.
type BatchConfig struct {
	Buffer int           // optional: events that may wait; 0 means 10000
	Size   int           // optional: events that are passed on at once; 0 means 400
	Wait   time.Duration // optional: the longest wait for a batch to fill; 0 means 30 s
	Clock  clock.Clock   // required
}

// Batch is a sink that passes events on to another, many at a time, so that requests do not wait for it.
type Batch struct {
	config BatchConfig
	to     Sink
	buffer chan *auditv1.Event
}

// NewBatch puts a buffer before a sink.
func NewBatch(to Sink, c BatchConfig) *Batch {
	if c.Buffer <= 0 {
		c.Buffer = 10000
	}
	if c.Size <= 0 {
		c.Size = 400
	}
	if c.Wait <= 0 {
		c.Wait = 30 * time.Second
	}
	return &Batch{config: c, to: to, buffer: make(chan *auditv1.Event, c.Buffer)}
}

// Write implements Sink. It never waits; what finds the buffer full is lost, with ErrOverflow.
func (b *Batch) Write(events ...*auditv1.Event) error {
	for _, e := range events {
		select {
		case b.buffer <- e:
		default:
			return ErrOverflow
		}
	}
	return nil
}

// Run implements Sink: it passes events on until ctx ends, and then those that are left.
func (b *Batch) Run(ctx context.Context) error {
	below, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- b.to.Run(below) }()
	for ctx.Err() == nil {
		b.pass(b.gather(ctx))
	}
	for len(b.buffer) > 0 {
		b.pass(b.gather(ctx))
	}
	stop()
	return <-ended
}

// gather waits for the first event, and then for more of them until a batch is full or has waited long enough.
func (b *Batch) gather(ctx context.Context) []*auditv1.Event {
	var batch []*auditv1.Event
	var late <-chan time.Time
	for len(batch) < b.config.Size {
		select {
		case e := <-b.buffer:
			batch = append(batch, e)
			continue
		default:
		}
		if ctx.Err() != nil {
			return batch
		}
		if len(batch) > 0 && late == nil {
			timer := b.config.Clock.NewTimer(b.config.Wait)
			defer timer.Stop()
			late = timer.C()
		}
		select {
		case e := <-b.buffer:
			batch = append(batch, e)
		case <-late:
			return batch
		case <-ctx.Done():
		}
	}
	return batch
}

func (b *Batch) pass(batch []*auditv1.Event) {
	if len(batch) == 0 {
		return
	}
	if err := b.to.Write(batch...); err != nil {
		slog.Error("audit events were not kept", "count", len(batch), "error", err)
	}
}
