package share

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// linkTree makes a directory like another one, with links to its files: whatever is no directory, devices that stand for
// what a layer removes among them. Directories cannot be linked; they get the same owner, mode, attributes and times.
func linkTree(from, to string) error {
	var directories []string
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return os.Link(path, filepath.Join(to, inside))
		}
		directories = append(directories, inside)
		if inside == "." {
			return nil
		}
		return os.Mkdir(filepath.Join(to, inside), 0o700)
	})
	if err != nil {
		return err
	}
	// From the innermost out: what is made in a directory changes its times.
	for i := len(directories) - 1; i >= 0; i-- {
		if err := likeDirectory(filepath.Join(from, directories[i]), filepath.Join(to, directories[i])); err != nil {
			return fmt.Errorf("make directory %s: %w", directories[i], err)
		}
	}
	return nil
}

func likeDirectory(from, to string) error {
	var stat unix.Stat_t
	if err := unix.Lstat(from, &stat); err != nil {
		return err
	}
	if err := os.Lchown(to, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(to, stat.Mode&0o7777); err != nil {
		return err
	}
	if err := copyAttributes(from, to); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{stat.Atim, stat.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// copyAttributes copies the extended attributes, those of overlayfs among them: they say that a directory hides the one below.
func copyAttributes(from, to string) error {
	size, err := unix.Llistxattr(from, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil
	}
	names := make([]byte, size)
	if err == nil {
		size, err = unix.Llistxattr(from, names)
	}
	if err != nil {
		return fmt.Errorf("list attributes: %w", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names[:size]), "\x00"), "\x00") {
		length, err := unix.Lgetxattr(from, name, nil)
		if err != nil {
			return fmt.Errorf("read attribute %s: %w", name, err)
		}
		value := make([]byte, length)
		if length > 0 {
			if length, err = unix.Lgetxattr(from, name, value); err != nil {
				return fmt.Errorf("read attribute %s: %w", name, err)
			}
		}
		if err := unix.Lsetxattr(to, name, value[:length], 0); err != nil {
			return fmt.Errorf("set attribute %s: %w", name, err)
		}
	}
	return nil
}
