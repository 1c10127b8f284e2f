package main

import "context"

// confirmations is how often a new class of differences must show itself again before it counts.
const confirmations = 12

// confirmAll asks both servers again for each class that is new, and drops those that do not show themselves each time.
// Some answers depend on more than the requests: which of two faults of a patch upstream meets first, walking a map.
func confirmAll(ctx context.Context, upstream, ours *server, found *report) error {
	all := found.unknown()
	return each(ctx, len(all), func(ctx context.Context, i int) error {
		c := all[i]
		for range confirmations {
			if c.confirmed {
				return nil
			}
			if _, again := shows(ctx, upstream, ours, c.first.history, c.name); !again {
				found.drop(c)
				return ctx.Err()
			}
		}
		c.confirmed = true
		return nil
	})
}
