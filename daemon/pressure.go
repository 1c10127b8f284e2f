package daemon

import (
	"strconv"
	"time"

	"proa/node/evict"
)

// What a node does when it runs short, unless told otherwise: as upstream.
const (
	DefaultEvictionHard       = evict.DefaultHard
	DefaultEvictionTransition = evict.DefaultTransition
	DefaultImageMinAge        = 2 * time.Minute
)

// checkPressure says what is wrong with the settings of eviction and of the collection of images.
func (c *Config) checkPressure() error {
	if _, err := c.Eviction.Policy(); err != nil {
		return err
	}
	return c.Images.Check()
}

// pressureFlags are the flags that give a further node on this machine the settings of the first.
func (c *Config) pressureFlags() []string {
	e, i := c.Eviction, c.Images
	return []string{
		"--eviction-hard", e.Hard, "--eviction-soft", e.Soft, "--eviction-soft-grace-period", e.SoftGrace, "--eviction-minimum-reclaim", e.MinimumReclaim,
		"--eviction-pressure-transition-period", e.Transition.String(), "--eviction-max-pod-grace-period", strconv.FormatInt(e.MaxPodGrace, 10),
		"--image-gc-high-threshold", strconv.Itoa(i.High), "--image-gc-low-threshold", strconv.Itoa(i.Low), "--minimum-image-ttl-duration", i.MinAge.String(),
	}
}
