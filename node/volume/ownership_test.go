package volume

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Another pod puts links in the place of files while a volume is given to a group: nothing outside of the volume changes.
func TestGroupStaysInsideTheVolume(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files to a group")
	}
	volume, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pod := &v1.Pod{Spec: v1.PodSpec{SecurityContext: &v1.PodSecurityContext{FSGroup: ptr.To[int64](4242)}}}
	name := filepath.Join(volume, "file")
	var swapping sync.WaitGroup
	stop := make(chan struct{})
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			var err error
			if i%2 == 0 {
				err = os.WriteFile(name, nil, 0o600)
			} else {
				err = os.Symlink(outside, name)
			}
			if err := errors.Join(err, os.Remove(name)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 2000 {
		// A link that leads out of the volume is refused, which is an answer too.
		if err := setGroup(volume, pod, false); err != nil && !isEscape(err) {
			t.Errorf("set group: %v", err)
			break
		}
	}
	close(stop)
	swapping.Wait()
	info, err := os.Stat(outside)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); info.Mode() != 0o600 || owner.Gid == 4242 {
		t.Errorf("the file outside has mode %v and group %d", info.Mode(), owner.Gid)
	}
}

func isEscape(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && failed.Err.Error() == "path escapes from parent"
}
