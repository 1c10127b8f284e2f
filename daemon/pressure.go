package daemon

import (
	"errors"
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

// checkPressure says what is wrong with the settings by which a node ends pods or removes images.
func (c *Config) checkPressure() error {
	_, err1 := c.Eviction.Policy()
	_, err2 := c.Shutdown.Periods()
	return errors.Join(err1, err2, c.Images.Check())
}

// pressureFlags are the flags that give a further node on this machine the settings of the first.
func (c *Config) pressureFlags() []string {
	e, i, s := c.Eviction, c.Images, c.Shutdown
	return []string{
		"--eviction-hard", e.Hard, "--eviction-soft", e.Soft, "--eviction-soft-grace-period", e.SoftGrace, "--eviction-minimum-reclaim", e.MinimumReclaim,
		"--eviction-pressure-transition-period", e.Transition.String(), "--eviction-max-pod-grace-period", strconv.FormatInt(e.MaxPodGrace, 10),
		"--image-gc-high-threshold", strconv.Itoa(i.High), "--image-gc-low-threshold", strconv.Itoa(i.Low), "--minimum-image-ttl-duration", i.MinAge.String(),
		"--shutdown-grace-period", s.Grace.String(), "--shutdown-grace-period-critical-pods", s.GraceCritical.String(),
		"--shutdown-grace-period-by-pod-priority", s.ByPriority,
	}
}
