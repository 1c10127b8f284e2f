package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// settings is all that the configuration file varies in.
type settings struct {
	programs     Programs
	root         string
	state        string
	temp         string
	socket       string
	runcRoot     string
	cniBinDir    string
	cniConfDir   string
	sandboxImage string
	registryDir  string
	restrictOOM  bool
}

// disabledPlugins are neither needed nor wanted: they cost memory, start-up time or, as "opt" and NRI do, leave directories
// outside of ours. The image verifier stays although unused: the CRI plugin does not load without it.
var disabledPlugins = [...]string{
	"io.containerd.differ.v1.erofs",
	"io.containerd.internal.v1.opt",
	"io.containerd.internal.v1.tracing",
	"io.containerd.monitor.container.v1.restart",
	"io.containerd.monitor.task.v1.cgroups",
	"io.containerd.mount-handler.v1.erofs",
	"io.containerd.nri.v1.nri",
	"io.containerd.snapshotter.v1.blockfile",
	"io.containerd.snapshotter.v1.btrfs",
	"io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.erofs",
	"io.containerd.snapshotter.v1.native",
	"io.containerd.snapshotter.v1.zfs",
	"io.containerd.tracing.processor.v1.otlp",
}

// render writes containerd's configuration, version 3.
func render(s settings) string {
	var b strings.Builder
	set := func(indent int, key string, value any) {
		fmt.Fprintf(&b, "%s%s = %s\n", strings.Repeat("  ", indent), key, tomlValue(value))
	}
	table := func(indent int, path ...string) {
		for i, p := range path {
			if strings.Contains(p, ".") {
				path[i] = "'" + p + "'"
			}
		}
		fmt.Fprintf(&b, "\n%s[%s]\n", strings.Repeat("  ", indent), strings.Join(path, "."))
	}
	const images, runtime = "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"

	// The versions are written down so that a new bundle changes this file, which restarts containerd.
	fmt.Fprintf(&b, "# Written by proa at every start. containerd %s, runc %s\n", s.programs.Versions["containerd"], s.programs.Versions["runc"])
	set(0, "version", 3)
	set(0, "root", s.root)
	set(0, "state", s.state)
	set(0, "temp", s.temp)
	set(0, "required_plugins", []string{"io.containerd.grpc.v1.cri"})
	set(0, "disabled_plugins", disabledPlugins[:])
	if !s.restrictOOM {
		set(0, "oom_score", -999)
	}
	table(0, "grpc")
	set(1, "address", s.socket)

	table(0, "plugins", images)
	set(1, "snapshotter", "overlayfs")
	// Sizes of layers are for display; walking them every ten seconds is what containerd would do.
	set(1, "stats_collect_period", 60)
	table(1, "plugins", images, "pinned_images")
	set(2, "sandbox", s.sandboxImage)
	table(1, "plugins", images, "registry")
	set(2, "config_path", s.registryDir)

	table(0, "plugins", runtime)
	set(1, "restrict_oom_score_adj", s.restrictOOM)
	set(1, "netns_mounts_under_state_dir", true)
	set(1, "enable_cdi", false)
	table(1, "plugins", runtime, "cni")
	set(2, "bin_dirs", []string{s.cniBinDir})
	set(2, "conf_dir", s.cniConfDir)
	// Without this the loopback interface needs one more program of the CNI project.
	set(2, "use_internal_loopback", true)
	table(1, "plugins", runtime, "containerd", "runtimes", "runc")
	set(2, "runtime_type", "io.containerd.runc.v2")
	set(2, "runtime_path", s.programs.Shim)
	table(2, "plugins", runtime, "containerd", "runtimes", "runc", "options")
	set(3, "BinaryName", s.programs.Runc)
	set(3, "Root", s.runcRoot)
	set(3, "SystemdCgroup", false)
	return b.String()
}

// tomlValue quotes with Go's rules, which for paths and names are also TOML's basic strings.
func tomlValue(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, s := range v {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

// writeConfig puts the configuration in place and reports whether it differs from the one that was there.
func (r *Runtime) writeConfig() (changed bool, err error) {
	if err := r.makeDirs(); err != nil {
		return false, err
	}
	text := []byte(render(settings{
		programs: r.programs, root: r.cfg.DataDir, state: r.stateRoot(), temp: r.tempDir(), socket: r.cfg.Socket,
		runcRoot: r.runcRoot(), cniBinDir: r.cfg.CNIBinDir, cniConfDir: r.cfg.CNIConfDir,
		sandboxImage: r.cfg.SandboxImage, registryDir: r.cfg.RegistryDir, restrictOOM: !canLowerOOMScore("/proc/self/oom_score_adj"),
	}))
	old, err := os.ReadFile(r.configFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read containerd's configuration: %w", err)
	}
	if bytes.Equal(old, text) {
		return false, nil
	}
	if err := replaceFile(r.configFile(), text); err != nil {
		return false, fmt.Errorf("write containerd's configuration: %w", err)
	}
	return true, nil
}
