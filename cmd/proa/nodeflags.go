package main

import (
	"github.com/spf13/cobra"

	"proa/daemon"
)

// node adds the flags of the verbs that run a node. Their names are the kubelet's.
func (o *options) node(cmd *cobra.Command) {
	f, c := cmd.Flags(), &o.config
	f.StringVar(&c.Eviction.Hard, "eviction-hard", "", "when pods are evicted at once, or none (default "+daemon.DefaultEvictionHard+")")
	f.StringVar(&c.Eviction.Soft, "eviction-soft", "", "when pods are evicted after a time of grace, such as memory.available<1Gi")
	f.StringVar(&c.Eviction.SoftGrace, "eviction-soft-grace-period", "", "how long, such as memory.available=1m30s")
	f.StringVar(&c.Eviction.MinimumReclaim, "eviction-minimum-reclaim", "", "how much is reclaimed beyond a threshold once it is met, such as nodefs.available=500Mi")
	f.DurationVar(&c.Eviction.Transition, "eviction-pressure-transition-period", daemon.DefaultEvictionTransition, "how long the node says that it is under pressure after it was")
	f.Int64Var(&c.Eviction.MaxPodGrace, "eviction-max-pod-grace-period", 0, "seconds that a pod has at most to end when a soft threshold is met")
	f.IntVar(&c.Images.High, "image-gc-high-threshold", 85, "percent of the disk in use from which unused images are removed; 0 is never")
	f.IntVar(&c.Images.Low, "image-gc-low-threshold", 80, "percent down to which they are")
	f.DurationVar(&c.Shutdown.Grace, "shutdown-grace-period", 0, "how long pods get to end, in order, when the machine shuts down (default: pods are not stopped in order)")
	f.DurationVar(&c.Shutdown.GraceCritical, "shutdown-grace-period-critical-pods", 0, "the part of it that is kept for critical pods")
	f.StringVar(&c.Shutdown.ByPriority, "shutdown-grace-period-by-pod-priority", "", "instead of both, seconds by priority: 0=60,10000=30")
	f.StringVar(&c.ManifestDir, "pod-manifest-dir", "", "folder of pods that are this node's own: they run whether there is an API or not")
	f.DurationVar(&c.Images.MinAge, "minimum-image-ttl-duration", daemon.DefaultImageMinAge, "how long an image stays even if nothing uses it")
}
