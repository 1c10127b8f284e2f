package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// projection is one file of a mirrored volume.
type projection struct {
	data []byte
	mode int32
	user *int64 // owner, if not root
}

// dataLink points to the directory with the current content:
//
//	name   -> ..data/name
//	..data -> ..2026_01_02_03_04_05.123
//	..2026_01_02_03_04_05.123/name
//
// Replacing this one link replaces all files at once, so a reader sees either all old or all new ones. Containers rely on
// these names: programs that reload watch ..data.
const dataLink = "..data"

// writeAtomically makes the directory hold exactly the payload. It changes nothing when the content is there already. finish
// runs on the new directory before anybody sees it.
func writeAtomically(target string, payload map[string]projection, stamp string, finish func(dir string) error) error {
	clean, err := cleanPayload(payload)
	if err != nil {
		return err
	}
	old, err := os.Readlink(filepath.Join(target, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", dataLink, err)
	}
	if old == "" || !sameContent(filepath.Join(target, old), clean) {
		if err := swap(target, clean, stamp, finish); err != nil {
			return err
		}
	}
	// Also when the content is unchanged: a crash may have come between the swap and this.
	if err := linkEntries(target, clean); err != nil {
		return err
	}
	return removeStale(target, clean)
}

func cleanPayload(payload map[string]projection) (map[string]projection, error) {
	clean := make(map[string]projection, len(payload))
	for name, p := range payload {
		if err := checkFileName(name); err != nil {
			return nil, err
		}
		clean[path.Clean(name)] = p
	}
	return clean, nil
}

// checkFileName refuses what would leave the volume or collide with our own links.
func checkFileName(name string) error {
	const maxPath, maxName = 4096, 255
	switch first, _, _ := strings.Cut(name, "/"); {
	case name == "":
		return fmt.Errorf("invalid path: must not be empty: %q", name)
	case path.IsAbs(name):
		return fmt.Errorf("invalid path: must be relative path: %s", name)
	case len(name) > maxPath:
		return fmt.Errorf("invalid path: must be less than or equal to %d characters", maxPath)
	case strings.HasPrefix(first, "..") && len(first) > 2:
		return fmt.Errorf("invalid path: must not start with '..': %s", name)
	}
	for item := range strings.SplitSeq(name, "/") {
		if item == ".." {
			return fmt.Errorf("invalid path: must not contain '..': %s", name)
		}
		if len(item) > maxName {
			return fmt.Errorf("invalid path: filenames must be less than or equal to %d characters", maxName)
		}
	}
	return nil
}

// sameContent compares the files below dir with the payload; modes and owners follow from the pod and never change.
func sameContent(dir string, payload map[string]projection) bool {
	found := 0
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		want, ok := payload[name]
		if !ok {
			return fs.ErrExist
		}
		have, err := os.ReadFile(file)
		if err == nil && string(have) != string(want.data) {
			err = fs.ErrExist
		}
		found++
		return err
	})
	return err == nil && found == len(payload)
}

// swap writes a new directory and points the data link to it.
func swap(target string, payload map[string]projection, stamp string, finish func(string) error) (err error) {
	dir, err := os.MkdirTemp(target, ".."+stamp+".")
	if err != nil {
		return fmt.Errorf("create directory of content: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, p := range payload {
		if err := writeFile(filepath.Join(dir, name), p); err != nil {
			return err
		}
	}
	if err := finish(dir); err != nil {
		return err
	}
	next := filepath.Join(target, dataLink+"_tmp")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(dir), next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(target, dataLink))
}

func writeFile(file string, p projection) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, p.data, fs.FileMode(p.mode)&fs.ModePerm); err != nil {
		return err
	}
	// The umask took bits away.
	if err := os.Chmod(file, fs.FileMode(p.mode)&fs.ModePerm); err != nil {
		return err
	}
	if p.user == nil {
		return nil
	}
	return os.Chown(file, int(*p.user), -1)
}

// linkEntries makes the first element of every file's path visible.
func linkEntries(target string, payload map[string]projection) error {
	for name := range visible(payload) {
		link := filepath.Join(target, name)
		if exists(link) {
			continue
		}
		if err := os.Symlink(filepath.Join(dataLink, name), link); err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	return nil
}

func visible(payload map[string]projection) map[string]bool {
	names := map[string]bool{}
	for name := range maps.Keys(payload) {
		first, _, _ := strings.Cut(name, "/")
		names[first] = true
	}
	return names
}

// removeStale removes links to what is no longer there, and earlier content.
func removeStale(target string, payload map[string]projection) error {
	current, err := os.Readlink(filepath.Join(target, dataLink))
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(target)
	if err != nil {
		return err
	}
	wanted := visible(payload)
	for _, entry := range entries {
		name := entry.Name()
		if wanted[name] || name == dataLink || name == current {
			continue
		}
		if err := os.RemoveAll(filepath.Join(target, name)); err != nil {
			return err
		}
	}
	return nil
}
