package volume

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// bindSubPath binds what subPath names beneath the volume to target; directories that are missing are made.
//
// A container may change its volume at any moment, so no name is looked up twice: openat2 resolves beneath the volume's
// descriptor, symbolic links included, and the bind mount takes the descriptor that came out. Resolving first and mounting by name,
// as kubelets once did, is CVE-2017-1002101 and CVE-2021-25741.
func bindSubPath(volume, subPath, target string) error {
	if path.IsAbs(subPath) || strings.Contains("/"+subPath+"/", "/../") {
		return fmt.Errorf("subPath %q must be relative and must not contain ..", subPath)
	}
	root, err := unix.Open(volume, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open volume %s: %w", volume, err)
	}
	defer unix.Close(root)
	found, err := openBeneath(root, subPath)
	if errors.Is(err, unix.ENOENT) {
		found, err = makeBeneath(root, subPath)
	}
	if err != nil {
		return fmt.Errorf("open subPath %q of %s: %w", subPath, volume, err)
	}
	defer unix.Close(found)
	var stat unix.Stat_t
	if err := unix.Fstat(found, &stat); err != nil {
		return fmt.Errorf("stat subPath: %w", err)
	}
	if err := prepareTarget(target, stat.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return fmt.Errorf("prepare subPath: %w", err)
	}
	source := "/proc/self/fd/" + strconv.Itoa(found)
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind subPath: %w", err)
	}
	// A bound directory stays a peer of where it came from: unmounting ours would unmount what lies below there too.
	if err := unix.Mount("", target, "", unix.MS_SLAVE, ""); err != nil {
		return errors.Join(fmt.Errorf("bind subPath: %w", err), unix.Unmount(target, unix.MNT_DETACH))
	}
	return nil
}

// openBeneath opens for use as a name only, never leaving root.
func openBeneath(root int, name string) (int, error) {
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(root, name, how)
		// The kernel gives up when names move meanwhile; that is no answer yet.
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// makeBeneath makes the directories of a path one by one, with the volume's own mode and owner.
func makeBeneath(root int, name string) (int, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(root, &stat); err != nil {
		return -1, err
	}
	elements := strings.Split(path.Clean(name), "/")
	parent, err := unix.Dup(root)
	if err != nil {
		return -1, err
	}
	for i, element := range elements {
		next, err := openBeneath(root, path.Join(elements[:i+1]...))
		if errors.Is(err, unix.ENOENT) {
			next, err = makeDir(parent, element, stat.Mode)
		}
		unix.Close(parent)
		if err != nil {
			return -1, err
		}
		parent = next
	}
	return parent, nil
}

// makeDir makes one directory in an open one and opens it, if it still is a directory and no link.
func makeDir(parent int, name string, mode uint32) (int, error) {
	if err := unix.Mkdirat(parent, name, mode&0o777); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	made, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(made)
	// The umask took bits away, and the group's bit is not inherited by mkdir everywhere.
	if err := unix.Fchmod(made, mode&0o7777); err != nil {
		return -1, err
	}
	return unix.Openat(made, ".", unix.O_PATH|unix.O_CLOEXEC, 0)
}
