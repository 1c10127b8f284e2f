package cri

import (
	"context"
	"time"
)

// callLimit bounds a call that changes the runtime. A runtime that answers later than that is taken for stuck.
const callLimit = 2 * time.Minute

// whole is the context of a call that changes the runtime: one that has begun goes through although ctx ends. Cut off half
// way, the runtime would leave behind what it was making (a process that no container owns, a network that nobody frees); what
// came into being is ended by the calls that follow. A ctx that has ended before begins nothing.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), callLimit)
}
