package usage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"

	"proa/node/evict"
)

// walk visits what is below a folder of a pod, on the file system of the folder: other ones are mounted there, and are counted by
// their owners. It opens everything beneath the folder (a pod may put links in place of folders meanwhile), counts a file with
// several names once, and takes no notice of what vanishes.
func walk(ctx context.Context, dir string, visit func(path string, d evict.Disk)) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("measure files: %w", err)
	}
	defer root.Close()
	info, err := root.Stat(".")
	if err != nil {
		return fmt.Errorf("measure files: %w", err)
	}
	device := info.Sys().(*syscall.Stat_t).Dev
	seen := map[uint64]bool{}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // vanished, or became a link out of the folder
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		stat := info.Sys().(*syscall.Stat_t)
		if stat.Dev != device || path.Base(name) == "volume-subpaths" && path.Dir(name) == "." {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if stat.Nlink > 1 && !entry.IsDir() {
			if seen[stat.Ino] {
				return nil
			}
			seen[stat.Ino] = true
		}
		visit(name, evict.Disk{Bytes: stat.Blocks * 512, Inodes: 1})
		return nil
	})
	if err != nil {
		return fmt.Errorf("measure files of %s: %w", dir, err)
	}
	return nil
}
