package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PauseImage is the sandbox image's name; the number grows when its content changes.
const PauseImage = "proa.local/pause:1"

// EnsurePause imports the sandbox image if the runtime does not have it.
func (s *Store) EnsurePause(ctx context.Context) error {
	if s.cfg.Images != nil {
		missing, err := s.missing(ctx, []string{PauseImage})
		if err != nil || missing == "" {
			return err
		}
	}
	image, err := pauseImage()
	if err != nil {
		return fmt.Errorf("make sandbox image: %w", err)
	}
	if err := s.add(ctx, PauseImage, image); err != nil {
		return fmt.Errorf("make sandbox image: %w", err)
	}
	return nil
}

func pauseImage() (v1.Image, error) {
	program, err := pauseProgram(runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	layer := tar.NewWriter(&files)
	if err := writeEntry(layer, &tar.Header{Typeflag: tar.TypeReg, Name: "pause", Mode: 0o755}, string(program)); err != nil {
		return nil, err
	}
	if err := layer.Close(); err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(files.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	// Neither root nor anybody else: the process holds namespaces and needs no rights.
	config.Config = v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535"}
	return mutate.ConfigFile(image, config)
}

// pauseProgram is the first process of every pod, as an ELF file of a few hundred bytes: nothing to compile, nothing to pull,
// and one page of memory each. A Go program would take a megabyte per pod. In C it would be
//
//	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL); // the kernel reaps orphans
//	sigprocmask(SIG_BLOCK, &mask, NULL);                                  // SIGINT and SIGTERM
//	while (sigtimedwait(&mask, NULL, NULL) < 0) {}
//	_exit(0);
//
// Ignoring SIGCHLD is what makes it a good first process when containers share its process namespace: children that are
// ours by adoption vanish when they end. The two signals are blocked and waited for rather than handled, because a handler needs
// a stack frame and a return trampoline; blocked signals stay pending even for the first process of a namespace.
func pauseProgram(arch string) ([]byte, error) {
	const base, headers = 0x400000, 64 + 56
	machine, code := uint16(0), []byte(nil)
	switch arch {
	case "amd64":
		machine, code = 62, amd64Pause()
	case "arm64":
		machine, code = 183, arm64Pause()
	default:
		return nil, fmt.Errorf("no pause program for %s", arch)
	}
	size := uint64(headers + len(code) + len(pauseData))
	b := append([]byte(nil), "\x7fELF\x02\x01\x01"...) // 64 bits, little endian, version 1
	b = append(b, make([]byte, 9)...)
	le := binary.LittleEndian
	for _, half := range []uint16{2, machine} { // an executable
		b = le.AppendUint16(b, half)
	}
	b = le.AppendUint32(b, 1)
	for _, word := range []uint64{base + headers, 64, 0} { // entry, program headers, no section headers
		b = le.AppendUint64(b, word)
	}
	b = le.AppendUint32(b, 0)
	for _, half := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, half)
	}
	b = le.AppendUint32(b, 1) // the one segment: load
	b = le.AppendUint32(b, 5) // read and execute
	for _, word := range []uint64{0, base, base, size, size, 0x1000} {
		b = le.AppendUint64(b, word)
	}
	b = append(b, code...)
	return append(b, pauseData[:]...), nil
}

// pauseData follows the code: the kernel's struct sigaction with SIG_IGN and nothing else, then the signal mask with
// SIGINT (2) and SIGTERM (15).
var pauseData = [40]byte{0: 1, 32: 1 << 1, 33: 1 << 6}
