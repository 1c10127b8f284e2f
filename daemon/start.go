package daemon

import (
	"context"
	"errors"
)

// openServing opens the serving half of the control plane, and writes the administrator's way in.
func openServing(cfg *Config) (*control, error) {
	c, err := openControl(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.keys.WriteKubeconfig(cfg.Kubeconfig, cfg.apiURL(), c.keys.Admin()); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// start starts the serving half, in this order, and returns when the API is ready.
func (c *control) start(ctx context.Context, parts *group) error {
	parts.add("keys", c.keys.Run)
	c.followFiles(parts)
	parts.add("custom kinds", c.custom.Run)
	c.startServing(ctx, parts)
	parts.add("fairness", c.api.Run)
	if err := c.bootstrap(ctx); err != nil {
		return err
	}
	parts.add("aggregator", c.aggregator.Run)
	return nil
}

// followFiles adds what takes up changes of the files of the configuration, and of keys that others keep.
func (c *control) followFiles(parts *group) {
	if c.issuers != nil {
		parts.add("authentication configuration", following(c.issuers.Run))
	}
	if c.order != nil {
		parts.add("authorization configuration", following(c.order.Run))
	}
	if c.encryption != nil {
		parts.add("encryption configuration", following(c.encryption.Run))
	}
}
