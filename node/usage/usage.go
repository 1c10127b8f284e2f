// Package usage measures what is left of a node, and what its pods take: it is the eyes of node/evict and node/imagegc.
//
// It decides nothing and owns nothing. The kernel is asked for memory, process ids and file systems, the runtime for
// containers; files are walked only when somebody asks what pods have on disk. When the runtime is gone, what only it knows
// is unknown.
package usage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"proa/node/cri"
	"proa/node/evict"
)

// Runtime is what is asked of the container runtime.
type Runtime interface {
	Usage(ctx context.Context) (map[types.UID]cri.PodUsage, error)
	ImageDir(ctx context.Context) (string, error)
}

// Config says where to look. All fields are required.
type Config struct {
	DataDir string // on the node's file system
	PodDir  func(uid types.UID) string
	LogDir  func(p *v1.Pod) string
	Runtime Runtime
}

// Meter measures one node. Many goroutines may use it.
type Meter struct {
	Config

	mu struct {
		sync.Mutex
		imageDir string // asked once
	}
}

// New measures nothing yet.
func New(c Config) *Meter { return &Meter{Config: c} }

// Levels implements evict.Meter.
func (m *Meter) Levels(ctx context.Context) evict.Levels {
	levels := evict.Levels{}
	if memory, ok := memory("/proc/meminfo"); ok {
		levels[evict.MemoryAvailable] = memory
	}
	if pids, ok := processes(); ok {
		levels[evict.PIDAvailable] = pids
	}
	if space, files, err := fileSystem(m.DataDir); err == nil {
		levels[evict.NodeFSAvailable], levels[evict.NodeFSInodesFree] = space, files
	}
	if dir, err := m.images(ctx); err == nil {
		if space, files, err := fileSystem(dir); err == nil {
			levels[evict.ImageFSAvailable], levels[evict.ImageFSInodesFree] = space, files
		}
	}
	for signal, level := range levels {
		if level.Capacity == 0 { // such as the inodes of file systems that make them as needed
			delete(levels, signal)
		}
	}
	return levels
}

// Disk is how much room there is for images.
func (m *Meter) Disk(ctx context.Context) (evict.Level, error) {
	dir, err := m.images(ctx)
	if err != nil {
		return evict.Level{}, err
	}
	space, _, err := fileSystem(dir)
	return space, err
}

func (m *Meter) images(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.imageDir != "" {
		return m.mu.imageDir, nil
	}
	dir, err := m.Runtime.ImageDir(ctx)
	if err != nil {
		return "", fmt.Errorf("find the file system of images: %w", err)
	}
	m.mu.imageDir = dir
	return dir, nil
}

// ImagesApart implements evict.Meter.
func (m *Meter) ImagesApart(ctx context.Context) (bool, error) {
	dir, err := m.images(ctx)
	if err != nil {
		return false, err
	}
	var here, there unix.Stat_t
	if err := errors.Join(unix.Stat(m.DataDir, &here), unix.Stat(dir, &there)); err != nil {
		return false, fmt.Errorf("compare file systems: %w", err)
	}
	return here.Dev != there.Dev, nil
}

// Usage implements evict.Meter.
func (m *Meter) Usage(ctx context.Context, pods []*v1.Pod, disk bool) ([]evict.Usage, error) {
	used, err := m.Runtime.Usage(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the runtime what pods use: %w", err)
	}
	all := make([]evict.Usage, 0, len(pods))
	for _, p := range pods {
		u := evict.Usage{Pod: p}
		of, known := used[p.UID]
		if known {
			u.Known, u.Memory, u.Processes = true, of.Memory, of.Processes
			for _, c := range of.Containers {
				u.Containers = append(u.Containers, evict.ContainerUsage{Name: c.Name, Memory: c.Memory, Layer: evict.Disk{Bytes: c.LayerBytes, Inodes: c.LayerInodes}})
			}
		}
		if disk {
			if err := m.files(ctx, &u); err != nil {
				return nil, err
			}
		}
		all = append(all, u)
	}
	return all, nil
}

// files adds what the pod has in files: in its folder, with the volumes that end with it, and in logs.
func (m *Meter) files(ctx context.Context, u *evict.Usage) error {
	u.Volumes = map[string]evict.Disk{}
	err := walk(ctx, m.PodDir(u.Pod.UID), func(path string, d evict.Disk) {
		switch volume, ok := emptyDirOf(path); {
		case ok:
			sum := u.Volumes[volume]
			sum.Add(d)
			u.Volumes[volume] = sum
		default:
			u.Rest.Add(d)
		}
	})
	if err != nil {
		return err
	}
	logs := map[string]evict.Disk{}
	err = walk(ctx, m.LogDir(u.Pod), func(path string, d evict.Disk) {
		container, _, _ := strings.Cut(path, "/")
		sum := logs[container]
		sum.Add(d)
		logs[container] = sum
	})
	for i := range u.Containers {
		c := &u.Containers[i]
		c.Logs = logs[c.Name]
		delete(logs, c.Name)
	}
	for _, d := range logs { // of containers that are over
		u.Rest.Add(d)
	}
	return err
}

// emptyDirOf tells from a path in a pod's folder which emptyDir it is in.
func emptyDirOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, filepath.Join("volumes", "kubernetes.io~empty-dir")+"/")
	name, _, _ := strings.Cut(rest, "/")
	return name, ok
}

// memory is what can be had without taking anything from a process: free memory, and pages of files that were not used lately. It is
// what upstream makes of the root cgroup.
func memory(file string) (evict.Level, bool) {
	values := map[string]int64{}
	f, err := os.Open(file)
	if err != nil {
		return evict.Level{}, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err == nil {
			values[name] = n << 10
		}
	}
	return evict.Level{Available: values["MemFree"] + values["Inactive(file)"], Capacity: values["MemTotal"]}, true
}

func processes() (evict.Level, bool) {
	limit, err1 := os.ReadFile("/proc/sys/kernel/pid_max")
	load, err2 := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(load))
	if errors.Join(err1, err2) != nil || len(fields) < 4 {
		return evict.Level{}, false
	}
	_, running, _ := strings.Cut(fields[3], "/")
	most, err1 := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64)
	now, err2 := strconv.ParseInt(running, 10, 64)
	if errors.Join(err1, err2) != nil {
		return evict.Level{}, false
	}
	return evict.Level{Available: most - now, Capacity: most}, true
}

func fileSystem(dir string) (space, files evict.Level, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return space, files, fmt.Errorf("read file system of %s: %w", dir, err)
	}
	space = evict.Level{Available: int64(fs.Bavail) * fs.Bsize, Capacity: int64(fs.Blocks) * fs.Bsize}
	files = evict.Level{Available: int64(fs.Ffree), Capacity: int64(fs.Files)}
	return space, files, nil
}
