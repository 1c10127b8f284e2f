package daemon

import (
	"context"
	"errors"
)

// API runs the serving half of the control plane alone until ctx ends: nothing acts on what is stored. ready is called when
// the API is. It needs no rights and touches nothing but its folders: tests look at the API through it.
func API(ctx context.Context, cfg *Config, ready func()) error {
	return run(ctx, cfg, func(ctx context.Context, parts *group) (func() error, error) {
		c, err := openServing(cfg)
		if err != nil {
			return nil, err
		}
		if err := c.start(ctx, parts); err != nil {
			return nil, errors.Join(err, parts.stop(), c.close())
		}
		ready()
		return c.close, nil
	})
}
