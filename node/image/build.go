package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Options is the part of an image's configuration that its files do not tell. All fields are optional; for a Go program
// the entrypoint is the program.
type Options struct {
	Entrypoint, Cmd, Env []string
	User, WorkDir        string
	Ports                []string // "8080/tcp"
}

// Image is a built image, whose layers lie in temporary files until Close.
type Image struct {
	v1.Image
	layer string
}

// Close removes the temporary files; the image is of no use afterwards.
func (i *Image) Close() error { return os.Remove(i.layer) }

// Build builds the image of a directory and imports it under the tag. It returns the full name.
func (s *Store) Build(ctx context.Context, dir, tag string, options Options) (string, error) {
	full, err := FullName(tag)
	if err != nil {
		return "", fmt.Errorf("build image: %w", err)
	}
	built, err := Build(ctx, dir, options)
	if err != nil {
		return "", err
	}
	err = s.add(ctx, tag, built)
	if err = errors.Join(err, built.Close()); err != nil {
		return "", fmt.Errorf("build image %s: %w", tag, err)
	}
	return full, nil
}

// Build makes an image of one layer: of the program, when dir holds a Go main package, else of the directory itself. The
// same content gives the same image: no times, no owners, sorted. The caller closes it.
func Build(ctx context.Context, dir string, options Options) (*Image, error) {
	files, err := os.CreateTemp("", "proa-layer-*.tar")
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", dir, err)
	}
	options, err = writeLayer(ctx, files, dir, options)
	if err = errors.Join(err, files.Close()); err != nil {
		return nil, fmt.Errorf("build image of %s: %w", dir, errors.Join(err, os.Remove(files.Name())))
	}
	image, err := assemble(files.Name(), options)
	if err != nil {
		return nil, fmt.Errorf("build image of %s: %w", dir, errors.Join(err, os.Remove(files.Name())))
	}
	return &Image{Image: image, layer: files.Name()}, nil
}

// writeLayer fills the layer and completes the options by what the content tells.
func writeLayer(ctx context.Context, w io.Writer, dir string, options Options) (Options, error) {
	isGo, err := isMainPackage(dir)
	if err != nil {
		return options, err
	}
	if !isGo {
		return options, writeTree(w, dir)
	}
	program, err := compile(ctx, dir)
	if err != nil {
		return options, err
	}
	defer os.RemoveAll(program.dir)
	if len(options.Entrypoint) == 0 {
		options.Entrypoint = []string{"/" + program.name}
	}
	return options, writeProgram(w, program)
}

func assemble(layerFile string, options Options) (v1.Image, error) {
	layer, err := tarball.LayerFromFile(layerFile, tarball.WithCompression(compression.None))
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: options.Entrypoint, Cmd: options.Cmd, User: options.User, WorkingDir: options.WorkDir,
		Env: append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, options.Env...),
	}
	for _, port := range options.Ports {
		if config.Config.ExposedPorts == nil {
			config.Config.ExposedPorts = map[string]struct{}{}
		}
		config.Config.ExposedPorts[port] = struct{}{}
	}
	return mutate.ConfigFile(image, config)
}

// Write writes the image as a docker-archive.
func (i *Image) Write(w io.Writer, tag string) error {
	return write(w, tag, i.Image)
}

func write(w io.Writer, tag string, image v1.Image) error {
	ref, err := name.NewTag(tag)
	if err != nil {
		return fmt.Errorf("read image name: %w", err)
	}
	return tarball.Write(ref, image, w)
}

// add imports an image: the archive goes through a pipe, never to disk.
func (s *Store) add(ctx context.Context, tag string, image v1.Image) error {
	full, err := FullName(tag)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(write(writer, tag, image)) }()
	defer reader.Close() // ends the writer when ctr failed early
	return s.importArchive(ctx, reader, []string{full})
}
