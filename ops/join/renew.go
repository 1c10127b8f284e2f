package join

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// checkInterval bounds how late a renewal comes when the clock jumps or the machine slept.
const checkInterval = time.Hour

// Run renews the certificates when two thirds of their life are over, until ctx ends. What cannot be renewed is tried again
// for as long as the old certificates last and beyond: connections then fail, and the log says what to do.
func (k *Keys) Run(ctx context.Context) error {
	// Nodes that joined together do not come back together.
	early := rand.Float64() / 20
	for {
		due := k.due(early)
		if left := due.Sub(k.cfg.Now()); left > 0 {
			if err := k.cfg.Wait(ctx, min(left, checkInterval)); err != nil {
				return nil // ctx ended
			}
			continue
		}
		if err := k.Renew(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var refused *Refused
			if errors.As(err, &refused) {
				k.cfg.Log.Error("the server does not renew this node's certificates", "reason", refused.Reason, "until", k.current.Load().client.Leaf.NotAfter)
			}
			if err := k.cfg.Wait(ctx, checkInterval); err != nil {
				return nil
			}
		}
	}
}

// due is when a third of the shorter certificate's life is left, or a little earlier.
func (k *Keys) due(early float64) time.Time {
	i := k.current.Load()
	leaf := i.client.Leaf
	if i.serving.Leaf.NotAfter.Before(leaf.NotAfter) {
		leaf = i.serving.Leaf
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotAfter.Add(-time.Duration(float64(life) * (1.0/3 + early)))
}

// Renew gets new certificates by the old one. Run calls it when it is time.
func (k *Keys) Renew(ctx context.Context) error {
	have := k.current.Load()
	err := k.retry(ctx, "renew certificates of", time.Minute, checkInterval, func() error { return k.obtain(ctx, have, "") })
	if err != nil {
		return err
	}
	k.cfg.Log.Info("certificates renewed", "until", k.current.Load().client.Leaf.NotAfter)
	if k.cfg.Renewed != nil {
		k.cfg.Renewed()
	}
	return nil
}
