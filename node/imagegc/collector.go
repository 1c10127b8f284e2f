// Package imagegc removes images that no pod uses when the disk fills up.
//
// It decides which images go and when; it owns the runtime's images in so far as it alone removes them. node runs it every five
// minutes, and node/evict asks it to remove all it may before a pod has to go. Images that were built or loaded on the node
// stay: no registry has them, so the next pod that needs one could not start. When the runtime is gone nothing is removed.
package imagegc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"proa/node/cri"
)

// Runtime holds the images.
type Runtime interface {
	ListImages(ctx context.Context) ([]cri.ImageNames, error)
	ImagesInUse(ctx context.Context) (map[string]bool, error)
	RemoveImage(ctx context.Context, id string) error
}

// Config is what a Collector works with. All fields are required unless said otherwise.
type Config struct {
	Policy  Policy
	Runtime Runtime
	// Named are the images that pods ask for, in full; they may not have a container yet.
	Named func() map[string]bool
	// Disk is how many bytes the images' file system has.
	Disk func(ctx context.Context) (available, capacity int64, err error)
	// Event tells about the node.
	Event func(eventType, reason, message string)
	Log   *slog.Logger
	Now   func() time.Time // optional
}

// Collector removes images of one node. See Run.
type Collector struct {
	Config

	mu struct {
		sync.Mutex
		ledger ledger
	}
}

// period is how often the disk is looked at.
const period = 5 * time.Minute

// New makes a collector; Run starts it.
func New(c Config) *Collector {
	if c.Now == nil {
		c.Now = time.Now
	}
	made := &Collector{Config: c}
	made.mu.ledger = ledger{}
	return made
}

// Check says what is wrong with a policy.
func (p Policy) Check() error {
	switch {
	case p.High < 0 || p.High > 100 || p.Low < 0 || p.Low > 100:
		return fmt.Errorf("image collection from %d%% down to %d%%: give shares from 0 to 100", p.High, p.Low)
	case p.Low > p.High:
		return fmt.Errorf("image collection from %d%% down to %d%%: it cannot stop above where it starts", p.High, p.Low)
	}
	return nil
}

// Run looks every period until ctx ends.
func (c *Collector) Run(ctx context.Context) error {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		if err := c.Collect(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn("collect images", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Collect removes as much as the policy asks for.
func (c *Collector) Collect(ctx context.Context) error {
	available, capacity, err := c.Disk(ctx)
	if err != nil {
		return err
	}
	excess := c.Policy.excess(available, capacity)
	freed, err := c.remove(ctx, excess)
	if err != nil || freed >= excess {
		return err
	}
	message := fmt.Sprintf("Insufficient free disk space on the node's image filesystem (%d%% of %s used). "+
		"Failed to free sufficient space by deleting unused images (freed %d bytes). "+
		"Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
		usedPercent(available, capacity), resource.NewQuantity(capacity, resource.BinarySI), freed)
	c.Event(v1.EventTypeWarning, "FreeDiskSpaceFailed", message)
	return errors.New(message)
}

// RemoveUnused removes every image that may go.
func (c *Collector) RemoveUnused(ctx context.Context) error {
	_, err := c.remove(ctx, everything)
	return err
}

func (c *Collector) remove(ctx context.Context, wanted int64) (freed int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	images, err := c.Runtime.ListImages(ctx)
	if err != nil {
		return 0, fmt.Errorf("list images: %w", err)
	}
	used, err := c.Runtime.ImagesInUse(ctx)
	if err != nil {
		return 0, fmt.Errorf("list images in use: %w", err)
	}
	for name := range c.Named() {
		used[name] = true
	}
	now := c.Now()
	c.mu.ledger.note(now, images, used)
	if wanted == 0 {
		return 0, nil
	}
	taken, _ := enough(c.mu.ledger.removable(now, images, used, c.Policy), wanted)
	var errs []error
	for _, image := range taken {
		if err := c.Runtime.RemoveImage(ctx, image.ID); err != nil {
			errs = append(errs, fmt.Errorf("remove image %s: %w", image.ID, err))
			continue
		}
		c.Log.Info("removed image", "image", image.Names, "bytes", image.Size)
		freed += image.Size
	}
	return freed, errors.Join(errs...)
}
