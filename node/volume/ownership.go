package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	v1 "k8s.io/api/core/v1"
)

// setGroup gives a directory tree to the pod's fsGroup, if it has one: the group may read (and write), and directories hand
// the group on to what is made in them.
//
// Other pods may change the tree meanwhile: every name is looked up beneath the directory that was opened, so that a link
// which takes a file's place leads nowhere else.
func setGroup(dir string, pod *v1.Pod, readOnly bool) error {
	if pod.Spec.SecurityContext == nil || pod.Spec.SecurityContext.FSGroup == nil {
		return nil
	}
	group := int(*pod.Spec.SecurityContext.FSGroup)
	files := fs.FileMode(0o660)
	if readOnly {
		files = 0o440
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("set group of volume: %w", err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = give(root, path, group, files)
		}
		if errors.Is(err, fs.ErrNotExist) && path != "." {
			return nil // another pod removed it
		}
		if err != nil {
			return fmt.Errorf("set group of volume: %w", err)
		}
		return nil
	})
}

// give gives one file to a group, which gets the permission bits of files.
func give(root *os.Root, path string, group int, files fs.FileMode) error {
	if err := root.Lchown(path, -1, group); err != nil {
		return err
	}
	info, err := root.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil // chmod would reach what it points to
	}
	mode := info.Mode() | files
	if info.IsDir() {
		mode |= fs.ModeSetgid | 0o110
	}
	return root.Chmod(path, mode)
}

// isGroups says whether a directory is the group's, with the access that setGroup gives it.
func isGroups(dir string, group int64) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(owner.Gid) == group && info.Mode()&(fs.ModeSetgid|0o070) == fs.ModeSetgid|0o070
}

// fsUser is the user that all containers of the pod run as, if they name one and the same.
func fsUser(pod *v1.Pod) *int64 {
	var user *int64
	all := append(append([]v1.Container(nil), pod.Spec.InitContainers...), pod.Spec.Containers...)
	for _, c := range all {
		own := runAsUser(pod, &c)
		if own == nil || user != nil && *user != *own {
			return nil
		}
		user = own
	}
	return user
}

func runAsUser(pod *v1.Pod, c *v1.Container) *int64 {
	if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
		return c.SecurityContext.RunAsUser
	}
	if pod.Spec.SecurityContext != nil {
		return pod.Spec.SecurityContext.RunAsUser
	}
	return nil
}
