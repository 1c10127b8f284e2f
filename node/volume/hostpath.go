package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	v1 "k8s.io/api/core/v1"
)

// checkHostPath checks, or makes, what the type asks for. Without a type nothing is checked.
func checkHostPath(source *v1.HostPathVolumeSource) error {
	kind := v1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	path := source.Path
	switch kind {
	case v1.HostPathUnset:
		return nil
	case v1.HostPathDirectoryOrCreate:
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return os.MkdirAll(path, 0o755)
		}
	case v1.HostPathFileOrCreate:
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			return f.Close()
		}
	}
	for _, check := range hostPathChecks {
		if check.kind != kind && check.orCreate != kind {
			continue
		}
		if info, err := os.Stat(path); err != nil || !check.is(info.Mode()) {
			return fmt.Errorf("hostPath type check failed: %s is not %s", path, check.noun)
		}
		return nil
	}
	return fmt.Errorf("%s is an invalid volume type", kind)
}

var hostPathChecks = [...]struct {
	kind, orCreate v1.HostPathType
	noun           string
	is             func(fs.FileMode) bool
}{
	{v1.HostPathDirectory, v1.HostPathDirectoryOrCreate, "a directory", fs.FileMode.IsDir},
	{v1.HostPathFile, v1.HostPathFileOrCreate, "a file", fs.FileMode.IsRegular},
	{v1.HostPathSocket, v1.HostPathSocket, "a socket file", func(m fs.FileMode) bool { return m&fs.ModeSocket != 0 }},
	{v1.HostPathCharDev, v1.HostPathCharDev, "a character device", func(m fs.FileMode) bool { return m&fs.ModeCharDevice != 0 }},
	{v1.HostPathBlockDev, v1.HostPathBlockDev, "a block device", func(m fs.FileMode) bool {
		return m&fs.ModeDevice != 0 && m&fs.ModeCharDevice == 0
	}},
}
