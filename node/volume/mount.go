package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mountMemory mounts a tmpfs unless one is there, and says whether it did. size 0 leaves the kernel's default, half the memory.
func mountMemory(dir string, size int64) (mounted bool, err error) {
	is, err := isMountPoint(dir)
	if err != nil || is {
		return false, err
	}
	options := ""
	if size > 0 {
		options = fmt.Sprintf("size=%d", size)
	}
	// noswap keeps secrets off the disk; kernels before 6.4 do not know it.
	with := strings.TrimPrefix(options+",noswap", ",")
	err = unix.Mount("tmpfs", dir, "tmpfs", 0, with)
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, options)
	}
	if err != nil {
		return false, fmt.Errorf("mount tmpfs at %s: %w", dir, err)
	}
	return true, nil
}

// isMountPoint asks the kernel for the mount of the directory and of its parent.
func isMountPoint(dir string) (bool, error) {
	var own unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &own); err != nil {
		return false, fmt.Errorf("stat %s: %w", dir, err)
	}
	if own.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return false, errors.New("the kernel does not tell mount points apart: version 5.8 or newer is needed")
	}
	return own.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// unmountBelow unmounts all that is mounted at or below the directory, and fails unless nothing is left: what follows is a
// removal, which must never reach into a volume of the host.
func unmountBelow(dir string) error {
	for range 3 { // a mount may lie over another one at the same place
		points, err := mountsBelow(dir)
		if err != nil || len(points) == 0 {
			return err
		}
		for i := len(points) - 1; i >= 0; i-- {
			if err := unix.Unmount(points[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("unmount %s: %w", points[i], err)
			}
		}
	}
	points, err := mountsBelow(dir)
	if err == nil && len(points) > 0 {
		err = fmt.Errorf("unmount %s: it stays mounted", points[0])
	}
	return err
}

// mountsBelow lists mount points in the order in which they were mounted.
func mountsBelow(dir string) ([]string, error) {
	dir, err := filepath.EvalSymlinks(dir) // the kernel lists real paths
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	// The kernel writes blank, tab, newline and backslash in octal.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if point := unescape.Replace(fields[4]); point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}
